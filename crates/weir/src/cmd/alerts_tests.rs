use super::*;
use crate::settings::Settings;

#[test]
fn a_list_says_who_is_told_and_who_is_on_call() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    let text = r#"
[[alerts.receivers]]
name = "ana"
pagerduty = { routing_key = "s3cret" }
[[alerts.receivers]]
name = "chat"
slack = { url = "https://hooks.slack.com/s3cret" }
[[alerts.rotations]]
name = "primary"
people = ["ana", "chat"]
start = "1970-01-01T00:00:00Z"
shift_ms = "1d"
[[alerts.routes]]
name = "page"
classes = ["page"]
receivers = ["primary"]
escalation = [{ after_ms = "15m", receivers = ["chat"] }]
"#;
    std::fs::write(&file, text).unwrap();
    let mut settings = Settings::load(Some(&file)).unwrap().alerts;
    let unknown = "which alerts are open is not known: alerts.state_file names no file that is there";
    let told = "route page: primary\nroute page, after 900 s: chat\non call for primary: ";
    assert_eq!(list(&settings, None, 0), format!("{told}ana\n{unknown}"));
    assert_eq!(list(&settings, Some(&Router::default()), 86_400_000), format!("{told}chat"));
    settings.receivers.clear();
    assert_eq!(list(&settings, None, 0), "nobody is told: [[alerts.receivers]] is empty");
}
