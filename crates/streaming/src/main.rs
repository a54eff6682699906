//! The door as a process of its own.

use std::process::ExitCode;

fn main() -> ExitCode {
    service::main(
        "streaming",
        "Takes webhooks and puts every delivery durably on the log before it says thank you.",
        streaming::DEFAULTS,
        |settings, host| Box::pin(streaming::run(settings, host)),
    )
}
