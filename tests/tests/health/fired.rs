//! Each alert that wakes somebody fires of a real fault, as a real Prometheus says that scrapes real services, and is over
//! when the fault is. And what dashboards and alerts ask for is there.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use common::registration::v1::registration_service_client::RegistrationServiceClient;
use serde_json::Value;
use service::seal::SealingKey;
use weir_tests::certificates::{Authority, Certificate};
use weir_tests::process::Process;
use weir_tests::{connect, github, wait};

use crate::asked;
use crate::monitored::{ENDPOINTS, LIMIT, Monitored, rules};

const DATABASE: &str = "WEIR__REGISTRATIONS__DATABASE";
/// Those that are not caused here, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    ("WeirStageStalled", "every fault at hand that stops a stage is told by another check, which explains it"),
    ("WeirPartitionStopped", "it is over only when somebody has set the offset of the group"),
    ("WeirRetentionNearlyUsed", "the backlog is looked at once a minute"),
    ("WeirRegistrationsUnread", "a topic that cannot be read is told by the log's check, which explains it"),
    ("WeirLoadRequestsRefused", "the log has to refuse one topic and take all others"),
    ("WeirLoadHeld", "tests/loader/held.rs holds real requests; here the enricher writes what was lost anew"),
    ("WeirCanaryLate", "none is sent here; tests/health/canary.rs stops a stage and looks at the check"),
    ("WeirCheckFailing", "no check is without an alert of its own"),
    ("WeirStageLagUnknown", "a group has to have no member for as long as five minutes, and no broker may be away"),
    ("WeirNotReady", "nothing is not ready without a check that says so"),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_alert_fires_of_a_real_fault_and_is_over_with_it() {
    let mut weir = Monitored::start();
    // What makes the metrics appear that come with it.
    assert_eq!(weir.post("hub", "guess", "{}".to_owned()).await, 401);
    assert_eq!(weir.deliver_broken("hub").await, 200);
    for _ in 0..5 {
        assert_eq!(weir.deliver().await, 200);
    }
    wait::until("rows", LIMIT, || Ok((weir.rows()? == 5).then_some(()))).unwrap();
    let seen = "count(weir_loader_commit_seconds_count) + count(weir_dead_letters_total) + count(weir_refused_total)";
    wait::until("Prometheus has seen all of it", LIMIT, || Ok(weir.prometheus.query(seen)?.first().map(|_| ())))
        .unwrap();
    asked::what_is_not_there_is_found(&weir.prometheus);
    assert_eq!(asked::wrong(&weir.prometheus), [""; 0]);
    assert_eq!(weir.firing(), BTreeSet::new(), "all is well");

    what_services_need_is_away(&mut weir).await;
    what_cannot_be_read_comes_in(&mut weir).await;
    nobody_can_tell(&mut weir);

    let rules: Value = serde_yaml_ng::from_str(&rules()).unwrap();
    let all = rules["groups"].as_array().unwrap().iter().flat_map(|group| group["rules"].as_array().unwrap());
    let pages = all.filter(|rule| rule["labels"]["severity"] == "page");
    let pages: BTreeSet<String> = pages.map(|rule| rule["alert"].as_str().unwrap().to_owned()).collect();
    let elsewhere: BTreeSet<String> = ELSEWHERE.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut accounted = elsewhere.clone();
    accounted.extend(weir.fired.borrow().iter().filter(|name| pages.contains(*name)).cloned());
    assert_eq!(accounted, pages, "each fires here, or is told to do so elsewhere");
    assert_eq!(weir.late.into_inner(), [""; 0]);
}

/// Another door on the same log, with another sealing key and a certificate that has ended.
async fn other_door(weir: &Monitored) -> (Process, Certificate) {
    let grpc = connect::grpc(&format!("http://{}", weir.processing.grpc())).await.unwrap();
    let registration = github::registration("sealed", "github", "acme", "a secret that is long enough");
    RegistrationServiceClient::new(grpc).register(registration).await.unwrap();
    let key = weir.installation.folder().join("other-key");
    SealingKey::create_file(key.clone()).unwrap();
    let authority = Authority::new("door").unwrap();
    let certificate = authority.issue_for(Duration::ZERO, "door", &["IP:127.0.0.1"]).unwrap();
    let at = |path: &Path| path.display().to_string();
    let door = weir.installation.launch("streaming").unwrap();
    let door = door
        .env("WEIR__ADMIN__LISTEN", &weir.spares[0])
        .env("WEIR__SECRETS__KEY_FILE", at(&key))
        .env("WEIR__STREAMING__TLS__CERTIFICATE_FILE", at(&certificate.certificate))
        .env("WEIR__STREAMING__TLS__KEY_FILE", at(&certificate.key))
        .start()
        .unwrap();
    wait::until("it answers", LIMIT, || Ok(door.get("/livez").is_ok().then_some(()))).unwrap();
    (door, certificate)
}

async fn what_services_need_is_away(weir: &mut Monitored) {
    let lake = weir.installation.folder().join("lake");
    let aside = weir.installation.folder().join("aside");
    let door = other_door(weir).await;
    // It is told that the topics have other names, and creates none.
    let loader = weir.installation.launch("loader").unwrap().env("WEIR__ADMIN__LISTEN", &weir.spares[1]);
    let loader =
        loader.env("WEIR__BUS__TOPIC_PREFIX", "none.").env("WEIR__BUS__CREATE_TOPICS", "false").start().unwrap();
    weir.loader.kill().unwrap();
    let reference = Monitored::reference(&weir.installation);
    let rows = std::fs::read(&reference).unwrap();
    std::fs::remove_file(&reference).unwrap();
    weir.enricher.restart().unwrap();
    // It opens its steps after its claims.
    let fails = "check=\"enricher_step_teams\",action=\"page\"} 2";
    wait::until("the step fails", LIMIT, || {
        let page = weir.enricher.get("/metrics").map_or_else(|_| String::new(), |(_, page)| page);
        Ok(page.contains(fails).then_some(()))
    })
    .unwrap();
    weir.peer.close();
    weir.redis.kill().unwrap();
    // It needs its claims for this.
    assert_eq!(weir.deliver().await, 200);
    weir.postgres.kill().unwrap();
    let alerts = [
        "WeirCertificateExpired",
        "WeirEndpointsUnusable",
        "WeirTopicsWrong",
        "WeirInstancesMissing",
        "WeirRequiredStepUnavailable",
        "WeirProbeFailing",
        "WeirAlertsNotDelivered",
        "WeirClaimsUnavailable",
        "WeirRegistrationsDatabase",
    ];
    weir.fire(&alerts);

    drop((door, loader));
    weir.loader.restart().unwrap();
    std::fs::write(&reference, rows).unwrap();
    weir.peer.open();
    weir.redis.restart().unwrap();
    weir.postgres.restart().unwrap();
    weir.resolved(&alerts);

    std::fs::rename(&lake, &aside).unwrap();
    std::fs::write(&lake, "no folder").unwrap();
    assert_eq!(weir.deliver().await, 200);
    weir.fire(&["WeirLakeUnavailable"]);
    std::fs::remove_file(&lake).unwrap();
    std::fs::rename(&aside, &lake).unwrap();
    weir.resolved(&["WeirLakeUnavailable"]);
}

async fn what_cannot_be_read_comes_in(weir: &mut Monitored) {
    // Most of one endpoint.
    for _ in 0..40 {
        assert_eq!(weir.deliver_broken(ENDPOINTS[1]).await, 200);
    }
    weir.fire(&["WeirEndpointDeadLetters"]);
    weir.resolved(&["WeirEndpointDeadLetters"]);
    // And of two.
    for _ in 0..40 {
        for endpoint in ENDPOINTS {
            assert_eq!(weir.deliver_broken(endpoint).await, 200);
        }
    }
    weir.fire(&["WeirDeadLetterStorm"]);
    // What an operator does who knows that it is the senders' mistake.
    weir.processing.restart_with("WEIR__PROCESSING__STORM__RATIO", "1.0").unwrap();
    weir.resolved(&["WeirDeadLetterStorm", "WeirEndpointDeadLetters"]);

    // More comes than may pass.
    weir.processing.restart_with("WEIR__PROCESSING__EVENTS_PER_SECOND", "4").unwrap();
    for _ in 0..120 {
        assert_eq!(weir.deliver().await, 200);
    }
    weir.fire(&["WeirStageBehind"]);
    weir.processing.restart_with("WEIR__PROCESSING__EVENTS_PER_SECOND", "0").unwrap();
    weir.resolved(&["WeirStageBehind"]);

    // An empty database, and registrations on the topic.
    let other = weir.postgres.database().unwrap();
    weir.processing.restart_with(DATABASE, &other).unwrap();
    weir.fire(&["WeirRegistrationsDiffer"]);
    let own = weir.postgres.url();
    weir.processing.restart_with(DATABASE, &own).unwrap();
    weir.resolved(&["WeirRegistrationsDiffer"]);
}

fn nobody_can_tell(weir: &mut Monitored) {
    weir.kafka.kill().unwrap();
    weir.health.kill().unwrap();
    weir.fire(&["WeirLogUnavailable", "WeirHealthCheckAbsent"]);
    weir.kafka.restart().unwrap();
    // It runs, and asks nobody after its first round.
    weir.health.restart_with("WEIR__HEALTH_CHECK__INTERVAL_MS", "600000").unwrap();
    weir.fire(&["WeirHealthCheckStands"]);
    weir.health.restart_with("WEIR__HEALTH_CHECK__INTERVAL_MS", "500").unwrap();
    weir.resolved(&["WeirLogUnavailable", "WeirHealthCheckAbsent", "WeirHealthCheckStands"]);
}
