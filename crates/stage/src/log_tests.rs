use service::State;
use tokio_util::sync::CancellationToken;

use super::*;

#[test]
fn a_stage_is_not_ready_without_its_topics() {
    let health = Health::new("loader", CancellationToken::new());
    let checks = LogChecks::new(&health, "loader_log", "loader_topics");
    let problem = |topic: &str, problem: &str, blocks| TopicProblem {
        topic: topic.into(),
        problem: problem.into(),
        blocks,
        missing: false,
        expires: false,
    };
    let table = [
        (Ok(vec![]), State::Ok, "all topics exist"),
        (Ok(vec![problem("loads", "kept for 1 day", false)]), State::Warning, "loads: kept for 1 day"),
        (
            Ok(vec![problem("a", "kept for 1 day", false), problem("b", "is not there", true)]),
            State::Failing,
            "a: kept for 1 day; b: is not there",
        ),
        (Err(Error::Full), State::Failing, ""),
    ];
    for (outcome, state, message) in table {
        checks.topics(&outcome);
        let digest = health.digest();
        let check = digest.checks.iter().find(|check| check.name == "loader_topics").unwrap();
        assert_eq!(check.state(), state, "{check:?}");
        assert!(check.message.contains(message) && check.gates_readiness, "{check:?}");
    }
}
