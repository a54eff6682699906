use service::State;
use tokio_util::sync::CancellationToken;

use super::*;

#[test]
fn a_topic_that_is_missing_is_no_wrong_setting_of_another() {
    let health = Health::new("loader", CancellationToken::new());
    let checks = LogChecks::new(&health, ["loader_log", "loader_topics", "loader_topic_settings"]);
    let problem = |problem: &str, blocks, missing| TopicProblem {
        topic: "loads".into(),
        problem: problem.into(),
        blocks,
        missing,
        expires: false,
    };
    let (short, one, gone) =
        (problem("1 day", false, false), problem("1 replica", true, false), problem("missing", true, true));
    let away = Error::Unavailable { what: "kafka".into(), reason: "no".into(), failure: FailureKind::Credentials };
    let (none, missing) = (FailureKind::Unspecified, FailureKind::Missing);
    let table = [
        (Err(away), (State::Failing, "kafka", FailureKind::Credentials), (State::Unknown, "")),
        (Ok(vec![]), (State::Ok, "all topics exist", none), (State::Ok, "")),
        (Ok(vec![short.clone()]), (State::Ok, "all topics exist", none), (State::Warning, "loads: 1 day")),
        (Ok(vec![short.clone(), one]), (State::Ok, "", none), (State::Failing, "loads: 1 day; loads: 1 replica")),
        (Ok(vec![gone.clone()]), (State::Failing, "topic loads is missing", missing), (State::Failing, "1 replica")),
        (Ok(vec![gone, short]), (State::Failing, "topic loads is missing", missing), (State::Warning, "loads: 1 day")),
        (Err(Error::Full), (State::Failing, "", none), (State::Warning, "loads: 1 day")),
    ];
    for (outcome, (state, message, failure), settings) in table {
        checks.topics(&outcome);
        let digest = health.digest();
        let find = |name: &str| digest.checks.iter().find(|check| check.name == name).unwrap();
        let (topics, wrong) = (find("loader_topics"), find("loader_topic_settings"));
        assert_eq!((topics.state(), topics.failure(), wrong.state()), (state, failure, settings.0), "{topics:?}");
        assert!(topics.message.contains(message) && topics.gates_readiness, "{topics:?}");
        assert!(wrong.message.contains(settings.1) && wrong.gates_readiness, "{wrong:?}");
    }
}
