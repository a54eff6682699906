//! Asks for what nobody else shall see.

use std::io::{IsTerminal as _, Read as _};

use anyhow::Context as _;

use crate::out;

/// Asks for the secret where somebody is there to ask, without showing it; else reads it from standard input.
pub(super) fn secret() -> anyhow::Result<String> {
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let stdin = std::io::stdin();
    let mut text = String::new();
    if !stdin.is_terminal() {
        stdin.lock().take(64 << 10).read_to_string(&mut text).context("cannot read the secret from standard input")?;
        return Ok(text.lines().next().unwrap_or_default().to_owned());
    }
    out::complain("Secret (it is not shown while you type):");
    let shown = tcgetattr(&stdin).context("cannot ask for the secret: use --secret-file")?;
    let mut hidden = shown.clone();
    hidden.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &hidden)?;
    let read = stdin.read_line(&mut text);
    tcsetattr(&stdin, OptionalActions::Flush, &shown)?;
    read.context("cannot read the secret")?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
