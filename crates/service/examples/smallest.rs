//! The smallest service: settings of its own, a check, a traced loop, an end.
//!
//! `cargo run -p service --example smallest -- --print-config`

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use serde::{Deserialize, Serialize};
use service::{
    Action, AdminSettings, CheckSpec, GrpcSettings, Host, HostSettings, Problem, Secret, SecretsSettings,
    ShutdownSettings, TelemetrySettings,
};
use tracing::Instrument as _;

const DEFAULTS: &str = r#"
[smallest]
# The time between two rounds, in milliseconds.
every_ms = 100
# How it ends: on_signal, with_error, with_panic or never (not even on a signal).
end = "on_signal"
# Shown nowhere.
password = "change me"
"#;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    admin: AdminSettings,
    grpc: GrpcSettings,
    telemetry: TelemetrySettings,
    shutdown: ShutdownSettings,
    secrets: SecretsSettings,
    smallest: Smallest,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Smallest {
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

impl service::Settings for Settings {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.smallest.every_ms == 0 {
            problems.push(Problem::new("smallest.every_ms", "0 would never rest", "give 1 or more"));
        }
        problems
    }

    fn host(&self) -> HostSettings {
        HostSettings {
            admin: self.admin.clone(),
            grpc: self.grpc.clone(),
            telemetry: self.telemetry.clone(),
            shutdown: self.shutdown.clone(),
        }
    }
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
