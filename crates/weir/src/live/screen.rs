//! Where lines and the table go: a terminal has the table at its lower end, everything else has a line now and then.
//!
//! They are written by a thread of their own: a terminal that is paused (Ctrl-S), or a pipe that nobody reads, must not
//! hold the services up, which run in the same process.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use service::escape;

use super::table::{Size, clipped};
use crate::out;

/// How often a line says where things stand where there is no table.
pub const EVERY: Duration = Duration::from_secs(5);
/// What may wait for a screen that does not move. Beyond it nothing is shown.
const WAITING: usize = 256;
/// How long the end waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Standard output.
#[derive(Debug)]
pub struct Screen {
    /// None: there is no thread, and nothing is shown.
    to: Option<SyncSender<Show>>,
    ended: Mutex<Receiver<()>>,
    has_table: bool,
}

#[derive(Debug)]
enum Show {
    Lines(String),
    Table(String),
    NoTable,
}

impl Screen {
    /// A screen with a table, where there is a terminal.
    pub fn new() -> Self {
        let has_table = out::is_terminal();
        let (to, shown) = mpsc::sync_channel(WAITING);
        let (done, ended) = mpsc::channel();
        let thread = std::thread::Builder::new().name("screen".to_owned()).spawn(move || {
            show(&shown, has_table);
            let _ = done.send(());
        });
        if let Err(error) = &thread {
            tracing::warn!(%error, "cannot start the thread for standard output, nothing is shown");
        }
        Self { to: thread.is_ok().then_some(to), ended: Mutex::new(ended), has_table }
    }

    /// Whether there is a table.
    pub fn has_table(&self) -> bool {
        self.has_table
    }

    /// How large it is; as high as one likes where it is no terminal.
    pub fn size(&self) -> Size {
        let size = rustix::termios::tcgetwinsize(std::io::stdout());
        let (width, height) = size.map_or((80, 24), |size| (usize::from(size.ws_col), usize::from(size.ws_row)));
        Size { width: width.max(40), height: if self.has_table { height.max(10) } else { usize::MAX } }
    }

    /// Writes lines; the table stays below them.
    pub fn say(&self, text: &str) {
        self.give(Show::Lines(text.to_owned()));
    }

    /// Shows the table, in place of the one before. A line that is too long for the terminal is cut.
    pub fn show(&self, text: &str) {
        self.give(Show::Table(clipped(text.trim_end(), self.size().width).trim_end().to_owned()));
    }

    /// Takes the table away.
    pub fn close(&self) {
        self.give(Show::NoTable);
    }

    fn give(&self, show: Show) {
        // Full: nobody looks.
        let _ = self.to.as_ref().map(|to| to.try_send(show));
    }
}

/// Waits for the last lines, as long as they move.
impl Drop for Screen {
    fn drop(&mut self) {
        if self.to.take().is_some() {
            let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
            let _ = ended.recv_timeout(LAST_LINES);
        }
    }
}

fn show(shown: &Receiver<Show>, has_table: bool) {
    let table = has_table.then(|| {
        let table = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            table.set_style(style);
        }
        table
    });
    for one in shown {
        match (one, &table) {
            (Show::Lines(text), Some(table)) => table.suspend(|| out::say(&text)),
            (Show::Lines(text), None) => out::say(&text),
            (Show::Table(text), Some(table)) => table.set_message(escape::lines(&text).into_owned()),
            (Show::NoTable, Some(table)) => table.finish_and_clear(),
            (Show::Table(_) | Show::NoTable, None) => {}
        }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}
