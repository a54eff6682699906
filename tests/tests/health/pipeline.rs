//! A door, a processing and a health-check, each a process.

use std::time::Duration;

use health_check::flow::Flow;
use weir_tests::github::Delivery;
use weir_tests::installation::{DOOR, Installation};
use weir_tests::process::Process;
use weir_tests::wait;

pub(crate) const INTERVAL: Duration = Duration::from_millis(300);
pub(crate) const TIMEOUT: Duration = Duration::from_millis(1000);

pub(crate) struct Running {
    pub(crate) health: Process,
    pub(crate) streaming: Process,
    pub(crate) processing: Process,
    /// After the processes, which are dropped first.
    _installation: Installation,
}

impl Running {
    /// All ready, with an endpoint `hub` of GitHub.
    pub(crate) fn start(name: &str) -> Self {
        let millis = |time: Duration| time.as_millis().to_string();
        let installation = Installation::on_kafka(name)
            .unwrap()
            .with("WEIR__BUS__KAFKA__SESSION_TIMEOUT_MS", "6000")
            .with("WEIR__HEALTH_CHECK__INTERVAL_MS", millis(INTERVAL))
            .with("WEIR__HEALTH_CHECK__TIMEOUT_MS", millis(TIMEOUT));
        let configured = |service: &str, file: &str, text: &str| {
            let path = installation.folder().join(file);
            std::fs::write(&path, text).unwrap();
            let launch = installation.launch(service).unwrap();
            launch.arg("--config").arg(path.to_str().unwrap()).start().unwrap()
        };
        let endpoint =
            "[[streaming.endpoints]]\nname = \"hub\"\nsource = \"github\"\ntenant = \"acme\"\nsecrets = [\"s3cret\"]\n";
        let streaming = configured("streaming", "door.toml", endpoint);
        let processing = installation.launch("processing").unwrap().start().unwrap();

        let entry = |name: &str, process: &Process| {
            let at = process.grpc();
            format!("[[health_check.services]]\nname = \"{name}\"\naddresses = [\"http://{at}\"]\nexpected = 1\n")
        };
        let services = entry("streaming", &streaming) + &entry("processing", &processing);
        let health = configured("health-check", "health.toml", &services);
        let limit = Duration::from_secs(120);
        for process in [&health, &streaming, &processing] {
            process.ready(limit).unwrap();
        }
        let running = Self { health, streaming, processing, _installation: installation };
        wait::until("all is well", limit, || Ok((running.status()?["state"] == "ok").then_some(()))).unwrap();
        running
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        self.health.get(path).unwrap()
    }

    /// What /status.json says.
    pub(crate) fn status(&self) -> anyhow::Result<serde_json::Value> {
        Ok(serde_json::from_str(&self.health.get("/status.json")?.1)?)
    }

    /// Posts delivery number `n`, signed; the status of the answer.
    pub(crate) async fn deliver(&self, endpoint: &str, secret: &str, n: u32) -> u16 {
        let body = format!(r#"{{"zen":"Design for failure.","hook_id":{n}}}"#).into();
        let delivery = Delivery { endpoint, secret, event: "ping", number: n.into(), body };
        delivery.post(self.streaming.address(DOOR)).await.unwrap()
    }
}

/// The totals of a stage.
pub(crate) fn total(status: &serde_json::Value, hop: &str) -> Flow {
    let hops = status["hops"].as_array().unwrap();
    let Some(total) = hops.iter().find(|found| found["service"] == hop).map(|hop| &hop["total"]) else {
        return Flow::default();
    };
    let number = |name: &str| total[name].as_u64().unwrap_or_default();
    let dropped = total["dropped"].as_object().into_iter().flatten();
    Flow {
        taken_in: number("taken_in"),
        sent_on: number("sent_on"),
        dead_lettered: number("dead_lettered"),
        dropped: dropped.map(|(reason, n)| (reason.clone(), n.as_u64().unwrap_or_default())).collect(),
    }
}
