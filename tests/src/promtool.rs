//! What Prometheus itself says of a page of metrics. `scripts/install.sh test` unpacks its tools into `target/prometheus`; no
//! server is installed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// The program.
///
/// # Errors
/// It is not there.
pub fn program() -> anyhow::Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/prometheus/usr/bin/promtool");
    if !path.exists() {
        bail!("{} is not there: make it with scripts/install.sh test", path.display());
    }
    Ok(path)
}

/// Prometheus can read the page, and its rules for names and texts find nothing.
///
/// # Errors
/// It cannot, or they do; then with each finding.
pub fn check_metrics(page: &str) -> anyhow::Result<()> {
    let mut command = Command::new(program()?);
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut checking = command.spawn().context("run promtool")?;
    // It reads all of it before it says anything, and closes its end.
    checking.stdin.take().context("its input")?.write_all(page.as_bytes()).context("give the page to promtool")?;
    let output = checking.wait_with_output()?;
    if !output.status.success() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        bail!("promtool check metrics: {}\n{}{}", output.status, text(&output.stdout), text(&output.stderr));
    }
    Ok(())
}
