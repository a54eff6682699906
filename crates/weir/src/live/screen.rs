//! Where lines and the table go: a terminal has the table at its lower end, everything else has a line now and then.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::out;

/// How often a line says where things stand where there is no table.
pub const EVERY: Duration = Duration::from_secs(5);

/// Standard output.
#[derive(Debug)]
pub struct Screen {
    table: Option<ProgressBar>,
}

impl Screen {
    /// A screen with a table, where there is a terminal.
    pub fn new() -> Self {
        let table = out::is_terminal().then(|| {
            let table = ProgressBar::with_draw_target(None, ProgressDrawTarget::stdout());
            if let Ok(style) = ProgressStyle::with_template("{msg}") {
                table.set_style(style);
            }
            table
        });
        Self { table }
    }

    /// Whether there is a table.
    pub fn has_table(&self) -> bool {
        self.table.is_some()
    }

    /// How wide it is.
    pub fn width(&self) -> usize {
        rustix::termios::tcgetwinsize(std::io::stdout()).map_or(80, |size| usize::from(size.ws_col)).max(40)
    }

    /// Writes lines; the table stays below them.
    pub fn say(&self, text: &str) {
        match &self.table {
            Some(table) => table.suspend(|| out::say(text)),
            None => out::say(text),
        }
    }

    /// Shows the table, in place of the one before.
    pub fn show(&self, text: &str) {
        if let Some(table) = &self.table {
            table.set_message(text.to_owned());
        }
    }

    /// Takes the table away.
    pub fn close(&self) {
        if let Some(table) = &self.table {
            table.finish_and_clear();
        }
    }
}

impl Default for Screen {
    fn default() -> Self {
        Self::new()
    }
}
