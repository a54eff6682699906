//! A real Alertmanager is told what lasts and what is over.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alerts::{Alert, AlertsSettings, Class, Delivery};
use anyhow::bail;
use serde_json::Value;
use service::Health;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use weir_tests::child::{self, Child};
use weir_tests::process::get;
use weir_tests::scratch::Scratch;
use weir_tests::{ports, wait};

const LIMIT: Duration = Duration::from_secs(60);

struct Alertmanager {
    address: String,
    _child: Child,
    _folder: Scratch,
}

impl Alertmanager {
    fn start() -> anyhow::Result<Self> {
        let program =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/alertmanager/usr/bin/prometheus-alertmanager");
        if !program.exists() {
            bail!("{} is not there: make it with scripts/install.sh test", program.display());
        }
        let folder = Scratch::new("alertmanager")?;
        let file = folder.path().join("alertmanager.yml");
        std::fs::write(&file, "route:\n  receiver: nobody\nreceivers:\n  - name: nobody\n")?;
        let address = format!("{}:{}", IpAddr::V4(Ipv4Addr::LOCALHOST), ports::free()?);
        // Debian's program wants its template where the package has it: it sees its own /usr/share there.
        let share = program.with_file_name("../share");
        let mut command = child::command("unshare");
        command
            .args(["--map-root-user", "--mount", "sh", "-c", "mount --bind \"$0\" /usr/share && exec \"$@\""])
            .arg(share)
            .arg(&program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--storage.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            // Alone: it looks for no others.
            .arg("--cluster.listen-address=");
        let child = Child::spawn("alertmanager", command)?;
        wait::until("Alertmanager is ready", LIMIT, || {
            if let Some(status) = child.exited()? {
                bail!("it ended: {status}");
            }
            Ok(get(&address, "/-/ready").ok().filter(|(status, _)| *status == 200))
        })?;
        Ok(Self { address, _child: child, _folder: folder })
    }

    /// The alerts that it takes for active.
    fn active(&self) -> Vec<Value> {
        let (status, body) = get(&self.address, "/api/v2/alerts?active=true").unwrap();
        assert_eq!(status, 200, "{body}");
        // In chunks, or not.
        let list = body.find('[').and_then(|from| Some(&body[from..=body.rfind(']')?])).unwrap_or("[]");
        serde_json::from_str(list).unwrap()
    }
}

fn settings(address: &str) -> AlertsSettings {
    #[derive(serde::Deserialize)]
    struct All {
        alerts: AlertsSettings,
    }
    let mut all: toml::Table = toml::from_str(alerts::DEFAULTS).unwrap();
    let own: toml::Table = toml::from_str(&format!(
        "receivers = [{{ name = \"am\", alertmanager = {{ url = \"http://{address}\" }} }}]\n\
         routes = [{{ name = \"all\", receivers = [\"am\"] }}]\n\
         allow_networks = [\"127.0.0.0/8\"]\nmust_last = false\nresolve_after_ms = 0\nresend_ms = 1000\n"
    ))
    .unwrap();
    all["alerts"].as_table_mut().unwrap().extend(own);
    all.try_into::<All>().unwrap().alerts
}

#[tokio::test(flavor = "multi_thread")]
async fn it_knows_what_lasts_and_what_is_over() {
    let alertmanager = Alertmanager::start().unwrap();
    let health = Health::new("test", CancellationToken::new());
    let delivery =
        Delivery::open(&settings(&alertmanager.address), "", Duration::from_secs(5), &health).await.unwrap().unwrap();
    let (rounds, found) = watch::channel(None);
    let mut tasks = JoinSet::new();
    tasks.spawn(delivery.run(found));
    let alert = |stage: &str| Alert {
        stage: stage.to_owned(),
        check: "lag".to_owned(),
        class: Class::Page,
        instances: vec![format!("{stage}-0")],
        subjects: Vec::new(),
        text: "the lag is 9 records".to_owned(),
        advice: "Add instances.".to_owned(),
        runbook: String::new(),
        since_ms: 1_767_571_200_000,
    };
    let round = |alerts: Vec<Alert>| rounds.send_replace(Some(Arc::new(alerts)));
    // For longer than a resend, which goes on: Alertmanager would forget it after four of them.
    let begun = Instant::now();
    let lasting = wait::until("it lasts for six resends", LIMIT, || {
        round(vec![alert("loader"), alert("enricher")]);
        let active = alertmanager.active();
        Ok((active.len() == 2 && begun.elapsed() > Duration::from_secs(6)).then_some(active))
    });
    let lasting =
        lasting.unwrap_or_else(|error| panic!("{error}: {:?} {:?}", alertmanager.active(), health.digest().checks));
    for active in &lasting {
        let stage = active["labels"]["stage"].as_str().unwrap();
        assert!(["loader", "enricher"].contains(&stage), "{active}");
        assert_eq!((&active["labels"]["severity"], &active["labels"]["check"]), (&"page".into(), &"lag".into()));
        assert_eq!(active["annotations"]["instances"], format!("{stage}-0"));
        assert!(active["startsAt"].as_str().unwrap().starts_with("2026-01-05T00:00:00"), "{active}");
    }
    wait::until("one of them is over", LIMIT, || {
        round(vec![alert("enricher")]);
        let active = alertmanager.active();
        Ok((active.len() == 1 && active[0]["labels"]["stage"] == "enricher").then_some(()))
    })
    .unwrap();
    drop(rounds);
    tasks.join_next().await.unwrap().unwrap();
}
