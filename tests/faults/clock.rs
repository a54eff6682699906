//! The clock of the machine is set: an installation on the embedded log, whose `weir up` sees another time than the rest.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use tokio::time::{Instant, sleep};
use weir_tests::process::{Launch, Process, program};

const DOOR: &str = "WEIR__STREAMING__LISTEN";
const WITHIN: Duration = Duration::from_secs(60);
/// The keeper of the log looks once a minute.
const A_LOOK: Duration = Duration::from_secs(75);
/// What Debian's `faketime` preloads; `scripts/install.sh test` gets it.
const LIBRARIES: [&str; 2] =
    ["/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1", "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1"];

/// 40 days ahead for a look of the keeper, and two hours ahead for a moment; each time it is set right again. Everything
/// that was acknowledged is there, and is found.
pub(crate) async fn set() -> anyhow::Result<()> {
    let library = LIBRARIES.iter().find(|library| Path::new(library).exists());
    let library = library.context("libfaketime is not there: scripts/install.sh test gets it")?;
    let folder = tempfile::tempdir()?;
    let clock = folder.path().join("clock");
    let set = |to: &str| std::fs::write(&clock, to).context("setting the clock");
    set("+0")?;
    let up = Launch::new("weir")
        .arg("up")
        .env("LD_PRELOAD", *library)
        .env("FAKETIME_TIMESTAMP_FILE", clock.display().to_string())
        .env("FAKETIME_CACHE_DURATION", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("WEIR__STREAMING__CATCH_UP_PAUSE_MS", "10")
        .env("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "200")
        .env("WEIR__LOADER__COMMIT_INTERVAL_MS", "200")
        .listen(DOOR)
        .start()?;
    up.ready(WITHIN)?;
    let secret = folder.path().join("secret");
    std::fs::write(&secret, "correct horse\n")?;
    let secret = secret.to_str().context("the folder's name")?;
    let endpoint = ["register", "endpoint", "mine", "--source", "github", "--tenant", "me", "--secret-file", secret];
    let (registered, said) = weir(&up, &endpoint)?;
    ensure!(registered, "{said}");

    let mut ids = Vec::new();
    ids.extend(deliver(&up, 1..6).await?);
    set("+40d")?;
    sleep(A_LOOK).await;
    ids.extend(deliver(&up, 6..8).await?);
    let log = up.logged()?;
    ensure!(log.contains("the clock jumped") && log.contains("+40 days"), "nothing was told of the clock: {log}");
    let (_, health) = up.get("/health")?;
    ensure!(health.contains("the clock jumped by +40 days"), "health does not tell it: {health}");
    set("+0")?;
    sleep(A_LOOK).await;
    ids.extend(deliver(&up, 8..10).await?);
    set("+2h")?;
    sleep(Duration::from_secs(3)).await;
    ids.extend(deliver(&up, 10..13).await?);
    set("+0")?;
    sleep(Duration::from_secs(3)).await;
    ids.extend(deliver(&up, 13..17).await?);

    for id in &ids {
        found(&up, id).await?;
    }
    let (_, records) = weir(&up, &["tail", "raw.github", "-n", "1000", "--json"])?;
    ensure!(records.lines().count() == ids.len(), "of {} deliveries there are: {records}", ids.len());
    let (_, groups) = weir(&up, &["groups", "list"])?;
    ensure!(groups.contains("weir-processing") && !groups.contains("OUT OF RANGE"), "{groups}");
    up.stop(WITHIN)?;
    Ok(())
}

/// `weir trace` finds it, with all that came of it.
async fn found(up: &Process, id: &str) -> anyhow::Result<()> {
    let until = Instant::now() + WITHIN;
    loop {
        let (complete, said) = weir(up, &["trace", id])?;
        if complete {
            return Ok(());
        }
        if Instant::now() > until {
            bail!("{id}: {said}");
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// A command of `weir`, by the right clock.
fn weir(up: &Process, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
    let mut command = weir_tests::child::command(program("weir")?);
    command.args(arguments).args(["--grpc", &format!("http://{}", up.grpc())]).current_dir(up.folder());
    let output = command.output().context("weir")?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    Ok((output.status.success(), said))
}

/// Delivers issues, and answers the ids of the deliveries.
async fn deliver(up: &Process, numbers: std::ops::Range<u32>) -> anyhow::Result<Vec<String>> {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut ids = Vec::new();
    for number in numbers {
        let body = format!(
            r#"{{"action":"opened","issue":{{"id":{number},"number":{number},"title":"t"}},"repository":{{"id":1,"full_name":"ada/engine"}},"sender":{{"id":2,"login":"ada"}}}}"#
        );
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"correct horse")?;
        mac.update(body.as_bytes());
        let request = http::Request::post(format!("http://{}/webhooks/mine", up.address(DOOR)))
            .header("x-hub-signature-256", format!("sha256={}", hex::encode(mac.finalize().into_bytes())))
            .header("x-github-event", "issues")
            .header("x-github-delivery", format!("00000000-0000-0000-0000-{number:012}"))
            .body(Full::new(bytes::Bytes::from(body)))?;
        let answer = client.request(request).await?;
        ensure!(answer.status() == 200, "delivery {number} got {}", answer.status());
        let answer: serde_json::Value = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
        ids.push(answer["delivery_id"].as_str().context("the door tells no id")?.to_owned());
    }
    Ok(ids)
}
