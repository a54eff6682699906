//! The database of the registrations fails over to its standby.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail, ensure};
use common::registration::v1::registration::Kind;
use common::registration::v1::{Endpoint, PlainSecret, RegisterRequest, Registration};
use http_body_util::Full;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::Code;

use crate::cases::{Act, Case};
use crate::report::RECOVERED_WITHIN;
use crate::run::Run;
use crate::surroundings::{Surroundings, lock};
use crate::tail::Moment;

/// Both of them are asked: each has connections of its own to the database.
const PROCESSING: [&str; 2] = ["processing-0", "processing-1"];
const PREFIX: &str = "endpoint/failover-";
const SECOND: Duration = Duration::from_secs(1);

/// What becomes of the server in whose place the standby comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Former {
    /// `kill -9`, a second before.
    Killed,
    /// It lives on and takes nothing that is written, and who is connected to it stays so.
    ReadOnly,
}

/// A standby that has all that was committed takes the place of the server; new connections lead to it.
pub(crate) async fn fail_over(around: &Surroundings, former: Former) -> anyhow::Result<Moment> {
    let postgres = around.postgres.clone();
    let (standby, postgres) = tokio::task::spawn_blocking(move || {
        let standby = lock(&postgres).standby()?;
        anyhow::Ok((standby, postgres))
    })
    .await??;
    let (killed, at) = (former == Former::Killed, around.postgres.clone());
    tokio::task::spawn_blocking(move || if killed { lock(&at).kill() } else { lock(&at).make_read_only() }).await??;
    if killed {
        tokio::time::sleep(SECOND).await;
    }
    let standby = tokio::task::spawn_blocking(move || standby.promote().map(|()| standby)).await??;
    around.to_postgres.turn_to(standby.port());
    let end = Moment::now();
    let retired = std::mem::replace(&mut *lock(&postgres), standby);
    lock(&around.retired).push(retired);
    Ok(end)
}

pub(crate) fn case() -> Case {
    let about = "the database fails over to its standby: killed, then read-only with its connections";
    Case::new("database-fails-over", about, vec![]).act(Act::FailOver)
}

/// What has been registered, and what was refused.
#[derive(Debug, Default)]
struct Registered {
    /// By whom, when it was asked and answered, and the id.
    acknowledged: Vec<(&'static str, Instant, String)>,
    refused: Vec<(Instant, Duration, tonic::Status)>,
}

/// Registers one endpoint after the other by this process, until it is told to stop.
async fn register(url: String, name: &'static str, stop: CancellationToken) -> anyhow::Result<Registered> {
    let mut client = weir::register::connect(&url).await?;
    let mut registered = Registered::default();
    for number in 0.. {
        if stop.is_cancelled() {
            break;
        }
        let asked = Instant::now();
        let endpoint = format!("failover-{name}-{number}");
        match client.register(request(&endpoint)).await {
            Ok(_) => registered.acknowledged.push((name, asked, format!("endpoint/{endpoint}"))),
            Err(status) => registered.refused.push((asked, asked.elapsed(), status)),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Ok(registered)
}

fn request(endpoint: &str) -> RegisterRequest {
    let kind =
        Kind::Endpoint(Endpoint { name: endpoint.to_owned(), source: "github".to_owned(), ..Endpoint::default() });
    RegisterRequest {
        registration: Some(Registration { tenant: "alder".to_owned(), kind: Some(kind), ..Registration::default() }),
        secrets: vec![PlainSecret { value: "correct horse".to_owned(), expires_at: None }],
        ..RegisterRequest::default()
    }
}

/// Registrations go on at both processings while the database fails over, first from a server that is killed and then
/// from one that lives on. Whoever asks meanwhile is told to come again, each can register again in time, and what was
/// acknowledged is there: in the database, and at both doors.
pub(crate) async fn act(run: &mut Run<'_>) -> anyhow::Result<()> {
    let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
    for name in PROCESSING {
        tasks.spawn(register(run.system.grpc(name).await?, name, stop.clone()));
    }
    let mut ends = Vec::new();
    for former in [Former::Killed, Former::ReadOnly] {
        let end = fail_over(run.around, former).await?;
        ends.push((former, end));
        run.ended(end);
        tokio::time::sleep(RECOVERED_WITHIN + 2 * SECOND).await;
    }
    stop.cancel();
    let mut all = Registered::default();
    while let Some(registered) = tasks.join_next().await {
        let Registered { acknowledged, refused } = registered??;
        all.acknowledged.extend(acknowledged);
        all.refused.extend(refused);
    }
    for (_, took, status) in &all.refused {
        ensure!(status.code() == Code::Unavailable, "refused after {took:?} with {status}");
    }
    println!("  {} registered, {} refused", all.acknowledged.len(), all.refused.len());
    for (former, end) in ends {
        for name in PROCESSING {
            let after = all.acknowledged.iter().filter(|(by, asked, _)| *by == name && *asked >= end.at);
            let first = after.map(|(_, asked, _)| *asked - end.at).min();
            let first = first.with_context(|| {
                let last = all.refused.last().map(|(_, _, status)| status.to_string());
                format!("{name} registers nothing after {former:?}: {last:?}")
            })?;
            println!("  {former:?}: {name} registers again after {:.1} s", first.as_secs_f64());
            ensure!(first < RECOVERED_WITHIN, "{name} registered again only after {first:?}");
        }
    }
    all_there(run, all.acknowledged.into_iter().map(|(_, _, id)| id).collect()).await
}

/// In the database as both processings see it, and at both doors.
async fn all_there(run: &Run<'_>, ids: BTreeSet<String>) -> anyhow::Result<()> {
    for name in PROCESSING {
        let mut client = weir::register::connect(&run.system.grpc(name).await?).await?;
        let found = weir::register::list(&mut client, PREFIX, "").await.map_err(|error| anyhow!("{error}"))?;
        let found: BTreeSet<_> = found.into_iter().map(|registration| registration.id).collect();
        let missing: Vec<_> = ids.difference(&found).take(3).collect();
        ensure!(missing.is_empty(), "{name} has {} of {} registrations, missing {missing:?}", found.len(), ids.len());
    }
    let client = Client::builder(TokioExecutor::new()).build_http();
    for door in &run.system.doors {
        for id in &ids {
            let endpoint = id.strip_prefix("endpoint/").unwrap_or(id);
            let began = Instant::now();
            loop {
                // A wrong signature leaves nothing behind, and only an endpoint that is known can find it wrong.
                let request = http::Request::post(format!("{door}/webhooks/{endpoint}"))
                    .header("x-hub-signature-256", format!("sha256={}", "0".repeat(64)))
                    .header("x-github-event", "issues")
                    .header("x-github-delivery", "00000000-0000-0000-0000-000000000000")
                    .body(Full::new(bytes::Bytes::from_static(b"{}")))?;
                let status = client.request(request).await?.status();
                if status == 401 {
                    break;
                }
                if began.elapsed() > RECOVERED_WITHIN {
                    bail!("{door} answers {status} for {endpoint}, which is registered");
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
    Ok(())
}
