//! What `weir up` needs of the machine: a folder that it may write, and three ports that are free.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use service::ListenError;
use tokio::task::JoinSet;

use crate::live::screen::Screen;
use crate::settings::Settings;

/// A log that is larger at the start is begun anew; the one before is kept.
const MAX_LOG: u64 = 16 * 1024 * 1024;

/// Longer than this nobody waits without being told for what.
const A_MOMENT: Duration = Duration::from_secs(1);

/// The variables that set where it listens.
const LISTENERS: [&str; 3] = ["WEIR__STREAMING__LISTEN", "WEIR__ADMIN__LISTEN", "WEIR__GRPC__LISTEN"];

/// The settings by which the door listens on this port, and the pages and gRPC on the two after it; their hosts stay.
pub(super) fn listeners(settings: &Settings, first: u16) -> Vec<(String, String)> {
    let listen = [&settings.streaming.listen, &settings.admin.listen, &settings.grpc.listen];
    let moved = |((name, listen), port): ((&str, &String), u16)| {
        let host = listen.rsplit_once(':').map_or("127.0.0.1", |(host, _)| host);
        (name.to_owned(), format!("{host}:{port}"))
    };
    LISTENERS.into_iter().zip(listen).zip(first..).map(moved).collect()
}

/// A port that has two after it.
pub(super) fn parse_port(text: &str) -> Result<u16, String> {
    let last = u16::MAX - 2;
    let wrong = || format!("give a port from 1 to {last}: the two after it are taken too");
    text.parse().ok().filter(|port| (1..=last).contains(port)).ok_or_else(wrong)
}

/// With what to do about it where a port is taken.
pub(super) fn with_ports(error: anyhow::Error) -> anyhow::Error {
    let is_taken = error.downcast_ref::<ListenError>().is_some_and(|error| error.in_use);
    if is_taken { anyhow::anyhow!("{error:#}. `weir up --ports 18080` moves all three ports") } else { error }
}

/// Makes the data folder, and sees whether it can be written: whatever would be the first to be stored there would be
/// blamed.
///
/// # Errors
/// It cannot; the message names the setting.
pub(super) fn check_folder(settings: &Settings) -> anyhow::Result<()> {
    let folder = &settings.data.dir;
    let database = settings.registrations.database.trim_start_matches("sqlite://");
    let stored = [&*settings.bus.data_dir, Path::new(&settings.lake.root), Path::new(database)];
    let is_used = stored.into_iter().chain(settings.secrets.key_file.as_deref()).any(|path| path.starts_with(folder));
    if !is_used {
        return Ok(());
    }
    let written = fs::create_dir_all(folder).and_then(|()| tempfile::tempfile_in(folder));
    written.map(drop).with_context(|| {
        format!(
            "cannot write the data folder {} (setting data.dir): name one that this user may write, for example \
             WEIR__DATA__DIR=$HOME/weir-data",
            folder.display()
        )
    })
}

/// Says what is done where opening takes longer than a moment, until what is returned is dropped: the door is closed until
/// then.
pub(super) fn tell_opening(settings: &Settings, screen: Arc<Screen>) -> JoinSet<()> {
    let mut telling = JoinSet::new();
    if settings.bus.kafka.brokers.is_empty() {
        let log = settings.bus.data_dir.join("log");
        telling.spawn(async move {
            tokio::time::sleep(A_MOMENT).await;
            let log = log.display();
            screen.say(&format!(
                "Opening the log in {log}: what was written last is read again. The door opens after it."
            ));
        });
    }
    telling
}

/// Standard error, going to a file until this is dropped.
pub(super) struct Log {
    pub(super) file: PathBuf,
    terminal: rustix::fd::OwnedFd,
}

impl Log {
    pub(super) fn redirect(folder: &Path) -> anyhow::Result<Self> {
        let file = folder.join("weir.log");
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        if fs::metadata(&file).is_ok_and(|about| about.len() > MAX_LOG) {
            let old = folder.join("weir.log.old");
            fs::rename(&file, &old).with_context(|| format!("cannot rename {}", file.display()))?;
        }
        let opened = OpenOptions::new().create(true).append(true).open(&file);
        let opened = opened.with_context(|| format!("cannot write {}", file.display()))?;
        let terminal = rustix::io::dup(std::io::stderr()).context("cannot save standard error")?;
        rustix::stdio::dup2_stderr(&opened).context("cannot redirect standard error")?;
        Ok(Self { file, terminal })
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // Where this fails there is nobody left to tell.
        let _ = rustix::stdio::dup2_stderr(&self.terminal);
    }
}

#[cfg(test)]
#[path = "up_place_tests.rs"]
mod tests;
