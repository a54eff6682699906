//! What `weir up` shows at a terminal: how it is, and what went through.

use std::time::Duration;

use service::{Host, clock};
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::live::limits::Limits;
use crate::live::screen::Screen;
use crate::live::{stages, table};

const REDRAW_EVERY: Duration = Duration::from_secs(1);

/// Shows lines as they come and, at a terminal, what goes through the stages; for ever.
pub(super) async fn run(host: &Host, mut limits: Limits, screen: &Screen, mut lines: mpsc::Receiver<String>) {
    let began = Instant::now();
    let mut ticks = interval(REDRAW_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            Some(line) = lines.recv() => screen.say(&line),
            _ = ticks.tick(), if screen.has_table() => {
                let digest = host.health().digest();
                let how = table::state(began.elapsed(), stages::state(&digest, host.shutdown().is_cancelled()));
                let flows = stages::flows(&digest, host.held().unwrap_or_default());
                let troubles = stages::troubles(&digest, began.elapsed());
                screen.show(&format!("{how}\n{troubles}{}{flows}", limits.look(&digest, clock::now())));
            }
            else => std::future::pending().await,
        }
    }
}
