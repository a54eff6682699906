//! An installation on the embedded log, of one process, beside the system: for what happens to a folder or to a machine.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use http_body_util::BodyExt as _;
use tokio::time::{Instant, sleep};
use weir_tests::github::{Delivery, send};
use weir_tests::installation::DOOR;
use weir_tests::process::{Launch, Process, program};

pub(crate) const WITHIN: Duration = Duration::from_secs(60);

/// A running `weir up`.
#[derive(Debug)]
pub(crate) struct Installation {
    pub(crate) up: Process,
}

impl Installation {
    /// Starts it and registers where it is sent to. `change`: what else it is launched with.
    pub(crate) async fn start(change: impl FnOnce(Launch) -> Launch) -> anyhow::Result<Self> {
        let launch = Launch::new("weir")
            .arg("up")
            .env("WEIR__STREAMING__CATCH_UP_PAUSE_MS", "10")
            .env("WEIR__ENRICHER__FLUSH_INTERVAL_MS", "200")
            .env("WEIR__LOADER__COMMIT_INTERVAL_MS", "200")
            .listen(DOOR);
        let up = change(launch).start()?;
        up.ready(WITHIN)?;
        let own = Self { up };
        let secret = own.up.folder().join("secret");
        std::fs::write(&secret, "correct horse\n")?;
        let secret = secret.to_str().context("the folder's name")?;
        let endpoint =
            ["register", "endpoint", "mine", "--source", "github", "--tenant", "me", "--secret-file", secret];
        let (registered, said) = own.weir(&endpoint)?;
        ensure!(registered, "{said}");
        Ok(own)
    }

    /// The folder of its log.
    pub(crate) fn log(&self) -> PathBuf {
        self.up.folder().join("weir-data/log")
    }

    /// The folder of the table of activities.
    pub(crate) fn table(&self) -> PathBuf {
        self.up.folder().join("weir-data/lake").join(lake::columns::ACTIVITIES)
    }

    /// A command of `weir`: whether it ended well, and what it said.
    pub(crate) fn weir(&self, arguments: &[&str]) -> anyhow::Result<(bool, String)> {
        let mut command = weir_tests::child::command(program("weir")?);
        command.args(arguments).args(["--grpc", &format!("http://{}", self.up.grpc())]).current_dir(self.up.folder());
        let output = command.output().context("weir")?;
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        Ok((output.status.success(), said))
    }

    /// `weir trace` finds each of these deliveries, with all that came of it.
    pub(crate) async fn found(&self, ids: &[String]) -> anyhow::Result<()> {
        for id in ids {
            let until = Instant::now() + WITHIN;
            loop {
                let (complete, said) = self.weir(&["trace", id])?;
                if complete {
                    break;
                }
                if Instant::now() > until {
                    bail!("{id}: {said}");
                }
                sleep(Duration::from_millis(500)).await;
            }
        }
        Ok(())
    }

    /// Waits until a check is in this state, and answers what it says.
    pub(crate) async fn until_check(&self, name: &str, state: &str) -> anyhow::Result<String> {
        let until = Instant::now() + WITHIN;
        loop {
            let digest: serde_json::Value = serde_json::from_str(&self.up.get("/health")?.1)?;
            let mut checks = digest["checks"].as_array().into_iter().flatten();
            let check = checks.find(|check| check["name"] == name).cloned().unwrap_or_default();
            if check["state"] == state {
                return Ok(check.to_string());
            }
            if Instant::now() > until {
                bail!("{name} is not {state}: {check}");
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Delivers issues, and answers the ids of the deliveries.
    pub(crate) async fn deliver(&self, numbers: Range<u32>) -> anyhow::Result<Vec<String>> {
        let mut ids = Vec::new();
        for number in numbers {
            let body = format!(
                r#"{{"action":"opened","issue":{{"id":{number},"number":{number},"title":"t"}},"repository":{{"id":1,"full_name":"ada/engine"}},"sender":{{"id":2,"login":"ada"}}}}"#
            );
            let (number, body) = (u64::from(number), body.into());
            let delivery = Delivery { endpoint: "mine", secret: "correct horse", event: "issues", number, body };
            let answer = send(delivery.to(self.up.address(DOOR))).await?;
            ensure!(answer.status() == 200, "delivery {number} got {}", answer.status());
            let answer: serde_json::Value = serde_json::from_slice(&answer.into_body().collect().await?.to_bytes())?;
            ids.push(answer["delivery_id"].as_str().context("the answer of the door has no id")?.to_owned());
        }
        Ok(ids)
    }
}
