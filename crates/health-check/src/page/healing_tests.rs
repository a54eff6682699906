use prost_types::Timestamp;

use super::*;
use crate::healing::audit::Came;

#[test]
fn what_was_done_is_shown_and_what_came_from_outside_escaped() {
    let attempt = |came, problem: &str| Attempt {
        at_ms: 40_000,
        remedy: "restart",
        target: "loader".to_owned(),
        reason: "loader_progress: <b>".to_owned(),
        came,
        problem: problem.to_owned(),
    };
    let now = Timestamp { seconds: 100, nanos: 0 };
    assert_eq!(section(&[], now), "");
    let html = section(&[attempt(Came::Refused, "<403>"), attempt(Came::DryRun, "")], now);
    for part in [
        "<th scope=row>60 s ago</th><td>restart loader</td><td>could not be done: &lt;403&gt;</td>",
        "<td>loader_progress: &lt;b&gt;</td>",
        "<td>dry run: would have been done</td>",
        "/docs/healing.md\">",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
}
