use std::collections::BTreeSet;

use bus::Start;
use common::health::v1::Digest;
use service::{Host, Secret, Settings as _};

use super::*;
use crate::{DEFAULTS, EndpointSettings, Settings, Streaming};

/// Runs a door with endpoints of two sources, whose canaries come fast, until `done` takes its digest.
fn door(env: &[(&str, &str)], done: impl AsyncFnOnce(&Host, &Settings)) {
    let all = [("WEIR__STREAMING__LISTEN", "127.0.0.1:0"), ("WEIR__STREAMING__CANARY_INTERVAL_MS", "20")];
    let unset = all.iter().filter(|(key, _)| env.iter().all(|(other, _)| other != key));
    let all = unset.chain(env).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let mut settings = service::load::<Settings>(DEFAULTS, None, all).unwrap();
    let endpoint = |name: &str, source: &str| EndpointSettings {
        name: name.into(),
        source: source.into(),
        tenant: "acme".into(),
        secrets: vec![Secret::new("It's a Secret to Everybody")],
        verify_token: None,
        rate_limit: None,
    };
    settings.streaming.endpoints =
        vec![endpoint("hub", "github"), endpoint("other", "github"), endpoint("app", "meta")];
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let host = Host::new("streaming", &settings.host());
        let streaming = Streaming::new(&settings, &host).await.unwrap();
        let mut running = JoinSet::new();
        running.spawn(streaming.run());
        done(&host, &settings).await;
    });
    // Not waited for: it may still ask for a broker.
    runtime.shutdown_background();
}

/// Waits until the digest is so.
async fn told(host: &Host, is: impl Fn(&Digest) -> bool) -> Digest {
    let reached = async {
        loop {
            let digest = host.health().digest();
            if is(&digest) {
                return digest;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), reached).await.unwrap_or_else(|_| panic!("{:?}", host.health().digest().canaries))
}

fn ways(digest: &Digest) -> BTreeSet<&str> {
    digest.canaries.iter().map(|canary| canary.way.as_str()).collect()
}

#[test]
fn one_goes_into_each_partition_of_each_source_that_has_an_endpoint() {
    let folder = tempfile::tempdir().unwrap();
    let env = [
        ("WEIR__BUS__DATA_DIR", folder.path().to_str().unwrap()),
        ("WEIR__BUS__KAFKA__BROKERS", ""),
        ("WEIR__BUS__CREATE_TOPICS", "true"),
    ];
    door(&env, async |host, settings| {
        let all_passed = |digest: &Digest| {
            digest.canaries.len() == 12 && digest.canaries.iter().all(|canary| canary.passed_at.is_some())
        };
        let digest = told(host, all_passed).await;
        let expected = ["raw.github", "raw.meta"].map(|topic| (0..6).map(move |n| format!("{topic}/{n}")));
        let expected: BTreeSet<String> = expected.into_iter().flatten().collect();
        assert_eq!(ways(&digest), expected.iter().map(String::as_str).collect());
        // The door has counted no delivery.
        assert!(digest.counts.iter().all(|count| count.taken_in == 0), "{:?}", digest.counts);
        assert!(digest.ages.is_empty() && digest.works.iter().all(|work| work.in_work == 0));
        let bus = Bus::open(&settings.bus).unwrap();
        for topic in ["raw.github", "raw.meta"] {
            let mut reader = bus.reader(&[topic.to_owned()], Start::Beginning).await.unwrap();
            let mut partitions = BTreeSet::new();
            while let Some(stored) = reader.next_until_end().await.unwrap() {
                let canary = stored.canary().unwrap_or_else(|| panic!("{stored:?}"));
                assert_eq!(*canary.way, *format!("{topic}/{}", stored.coordinates.partition));
                partitions.insert(stored.coordinates.partition);
            }
            assert_eq!(partitions, (0..6).collect(), "{topic}");
        }
    });
}

#[test]
fn without_a_log_it_is_told_that_none_passes() {
    let env = [("WEIR__BUS__KAFKA__BROKERS", "127.0.0.1:1"), ("WEIR__BUS__KAFKA__DELIVERY_TIMEOUT_MS", "1000")];
    door(&env, async |host, _| {
        let digest = told(host, |digest| !digest.canaries.is_empty()).await;
        assert_eq!(ways(&digest), ["raw.github/0", "raw.meta/0"].into());
        assert!(digest.canaries.iter().all(|canary| canary.since.is_some() && canary.sent_at.is_none()));
    });
}

#[test]
fn none_is_sent_where_none_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let env = [
        ("WEIR__BUS__DATA_DIR", folder.path().to_str().unwrap()),
        ("WEIR__BUS__KAFKA__BROKERS", ""),
        ("WEIR__BUS__CREATE_TOPICS", "true"),
        ("WEIR__STREAMING__CANARY_INTERVAL_MS", "0"),
    ];
    door(&env, async |host, settings| {
        told(host, |digest| digest.ready).await;
        assert_eq!(settings.streaming.canary_interval(), None);
        assert!(host.health().digest().canaries.is_empty());
    });
}
