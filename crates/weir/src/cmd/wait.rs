//! `weir wait`: the process of a container in which the other commands are run.

use std::process::ExitCode;

use tokio_util::sync::CancellationToken;

/// Do nothing until told to stop
///
/// Keeps a container running in which an operator runs the other commands. The image has no shell that could wait.
#[derive(Debug, clap::Args)]
#[command(
    hide = true,
    after_help = "Examples:
  kubectl -n weir exec -it deploy/tools -- /weir tail activities --follow"
)]
pub struct Wait {}

/// Needs nothing: it runs where nothing else answers.
pub(super) async fn run(shutdown: CancellationToken) -> anyhow::Result<ExitCode> {
    shutdown.cancelled().await;
    Ok(ExitCode::SUCCESS)
}
