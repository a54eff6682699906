//! `weir alerts`: who is told of what is wrong.

use std::io;
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use alerts::AlertsSettings;
use alerts::router::Router;
use common::time::from_millis;
use service::clock;

use crate::out;

/// Show who is told of what is wrong, or tell a receiver that it can be told
///
/// Reads the settings of health-check, section [alerts]: give the same file and the same environment.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  weir alerts list --config weir.toml
  weir alerts test pager --config weir.toml")]
pub struct AlertsCommand {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    config: super::ConfigFile,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the routes, who is on call, and the alerts that are open
    List,
    /// Send a receiver a test: a beginning, and its end
    Test {
        /// The name of the receiver
        receiver: String,
    },
}

impl AlertsCommand {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let all = self.config.load()?;
        let (settings, installation) = (all.alerts, all.health_check.name);
        match self.command {
            Command::List => {
                let open = match settings.state_file.as_os_str().is_empty() {
                    true => None,
                    false => match alerts::delivery::state(&settings.state_file).await {
                        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                        read => Some(read?),
                    },
                };
                let since = clock::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                out::say(list(&settings, open.as_ref(), i64::try_from(since.as_millis())?).trim_end());
            }
            Command::Test { receiver } => {
                alerts::delivery::test(&settings, &installation, &receiver).await?;
                out::say(&format!("{receiver} took the test"));
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// A line for each route, each rotation and each open alert.
fn list(settings: &AlertsSettings, state: Option<&Router>, now_ms: i64) -> String {
    if settings.receivers.is_empty() {
        return "nobody is told: [[alerts.receivers]] is empty".to_owned();
    }
    let mut lines = Vec::new();
    let policy = settings.policy();
    for route in &policy.routes {
        for step in &route.steps {
            let after = if step.after_ms == 0 { String::new() } else { format!(", after {} s", step.after_ms / 1000) };
            lines.push(format!("route {}{after}: {}", route.name, step.receivers.join(", ")));
        }
    }
    for rotation in &policy.rotations {
        lines.push(format!("on call for {}: {}", rotation.name, rotation.on_call(now_ms).unwrap_or("nobody")));
    }
    for window in policy.maintenance.iter().filter(|window| window.is_on(now_ms)) {
        lines.push(format!("maintenance {} is on", window.name));
    }
    match state {
        None => {
            lines.push("which alerts are open is not known: alerts.state_file names no file that is there".to_owned())
        }
        Some(state) => {
            let open = state.open().map(|open| {
                let (alert, since) = (&open.alert, from_millis(open.opened_ms));
                let class = alert.class.name();
                format!("open since {since}: {class}: {}: {} ({})", alert.stage, alert.text, alert.check)
            });
            lines.extend(open);
        }
    }
    lines.join("\n")
}

#[cfg(test)]
#[path = "alerts_tests.rs"]
mod tests;
