//! The smallest service: settings of its own, a check, a traced loop, an end.
//!
//! `cargo run -p service --example smallest -- --print-config`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use common::units::{MAX, Millis};
use serde::{Deserialize, Serialize};
use service::{Action, CheckSpec, Host, Problem, Secret};
use tracing::Instrument as _;

const DEFAULTS: &str = r#"
[smallest]
# The time between two rounds.
every_ms = "100ms"
# How it ends: on_signal, with_error, with_panic or never (not even on a signal).
end = "on_signal"
# Shown nowhere.
password = "change me"
"#;

service::settings! {
    struct Settings { smallest: Smallest }
}

impl Settings {
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Smallest {
    #[serde(with = "Millis::<1, MAX>")]
    every_ms: u64,
    end: End,
    password: Secret,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum End {
    OnSignal,
    WithError,
    WithPanic,
    Never,
}

fn main() -> ExitCode {
    service::main("smallest", "The smallest service", &[service::DEFAULTS, DEFAULTS], run)
}

async fn run(settings: Settings, host: Host) -> anyhow::Result<()> {
    let rounds = host.health().check(CheckSpec {
        name: "rounds",
        action: Action::Ticket,
        gates_readiness: true,
        unit: "rounds",
        threshold: None,
    });
    host.serve(tonic::service::Routes::default()).await?;
    let mut ticks = tokio::time::interval(Duration::from_millis(settings.smallest.every_ms));
    let mut count = 0.0;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = host.shutdown().cancelled(), if settings.smallest.end != End::Never => return Ok(()),
        }
        count += 1.0;
        let span = tracing::info_span!("round", count);
        async {
            tracing::info!(count, traceparent = service::trace::current_traceparent(), "round done");
        }
        .instrument(span)
        .await;
        rounds.value(count);
        rounds.ok("going round");
        match settings.smallest.end {
            End::WithError => bail!("this is how it ends"),
            End::WithPanic => panic!("this is how it ends"),
            End::OnSignal | End::Never => {}
        }
    }
}
