//! A door, a processing and a health-check, each a process.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use health_check::flow::Flow;
use hmac::{Hmac, KeyInit as _, Mac as _};
use weir_tests::process::{Launch, Process};
use weir_tests::scratch::Scratch;
use weir_tests::{kafka, wait};

const DOOR: &str = "WEIR__STREAMING__LISTEN";
pub(crate) const INTERVAL: Duration = Duration::from_millis(300);
pub(crate) const TIMEOUT: Duration = Duration::from_millis(1000);

pub(crate) struct Running {
    pub(crate) health: Process,
    pub(crate) streaming: Process,
    pub(crate) processing: Process,
    _scratch: Scratch,
}

impl Running {
    /// All ready, with an endpoint `hub` of GitHub.
    pub(crate) fn start(name: &str) -> Self {
        let kafka = kafka::shared().unwrap();
        let scratch = Scratch::new(name).unwrap();
        let key = scratch.path().join("sealing-key");
        service::seal::SealingKey::create_file(&key).unwrap();
        let prefix = kafka::prefix(name);
        let launch = |program| {
            Launch::new(program)
                .env("WEIR__BUS__KAFKA__BROKERS", kafka.bootstrap())
                .env("WEIR__BUS__KAFKA__SESSION_TIMEOUT_MS", "6000")
                .env("WEIR__BUS__TOPIC_PREFIX", &prefix)
                .env("WEIR__BUS__CREATE_TOPICS", "true")
                .env("WEIR__SECRETS__KEY_FILE", key.to_str().unwrap())
        };
        let door = scratch.path().join("door.toml");
        let endpoint =
            "[[streaming.endpoints]]\nname = \"hub\"\nsource = \"github\"\ntenant = \"acme\"\nsecrets = [\"s3cret\"]\n";
        std::fs::write(&door, endpoint).unwrap();
        let streaming = launch("weir-streaming").listen(DOOR).arg("--config").arg(door.to_str().unwrap());
        let streaming = streaming.start().unwrap();
        let processing = launch("weir-processing").start().unwrap();

        let service = |name: &str, process: &Process| {
            let at = process.grpc();
            format!("[[health_check.services]]\nname = \"{name}\"\naddresses = [\"http://{at}\"]\nexpected = 1\n")
        };
        let config = scratch.path().join("health.toml");
        let services = service("streaming", &streaming) + &service("processing", &processing);
        std::fs::write(&config, services).unwrap();
        let health = Launch::new("weir-health-check")
            .arg("--config")
            .arg(config.to_str().unwrap())
            .env("WEIR__HEALTH_CHECK__INTERVAL_MS", INTERVAL.as_millis().to_string())
            .env("WEIR__HEALTH_CHECK__TIMEOUT_MS", TIMEOUT.as_millis().to_string())
            .start()
            .unwrap();
        let limit = Duration::from_secs(120);
        for process in [&health, &streaming, &processing] {
            process.ready(limit).unwrap();
        }
        let running = Self { health, streaming, processing, _scratch: scratch };
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
    pub(crate) fn deliver(&self, endpoint: &str, secret: &str, n: u32) -> u16 {
        let body = format!(r#"{{"zen":"Design for failure.","hook_id":{n}}}"#);
        let mut mac = Hmac::<sha2::Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(body.as_bytes());
        let signature = hex::encode(mac.finalize().into_bytes());
        let address = self.streaming.address(DOOR);
        let mut stream = TcpStream::connect(address).unwrap();
        write!(
            stream,
            "POST /webhooks/{endpoint} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\
             content-type: application/json\r\nx-github-event: ping\r\nx-github-delivery: 72d3162e-{n:04}\r\n\
             x-hub-signature-256: sha256={signature}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer[9..12].parse().unwrap()
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
