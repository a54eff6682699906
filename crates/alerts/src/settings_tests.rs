use super::*;

/// Settings as the defaults and this text make them.
pub(crate) fn settings(text: &str) -> AlertsSettings {
    #[derive(Deserialize)]
    struct All {
        alerts: toml::Table,
    }
    let mut all: All = toml::from_str(DEFAULTS).unwrap();
    let own: All = toml::from_str(&format!("[alerts]\n{text}")).unwrap();
    for (key, value) in own.alerts {
        match (all.alerts.get_mut(&key), value) {
            (Some(toml::Value::Table(table)), toml::Value::Table(own)) => table.extend(own),
            (_, value) => _ = all.alerts.insert(key, value),
        }
    }
    all.alerts.try_into().unwrap()
}

fn wrong(text: &str) -> Vec<String> {
    settings(text).validate().into_iter().map(|one| format!("{}: {}; {}", one.key, one.problem, one.fix)).collect()
}

const WHOLE: &str = r#"
receivers = [
    { name = "ana", pagerduty = { routing_key = "secret-a" } },
    { name = "ben", mail = { server = "smtp.example.org:587", from = "weir@example.org", to = ["Ben <ben@example.org>"], user = "weir", password = "secret-b" } },
    { name = "chat", slack = { url = "https://hooks.slack.com/services/secret-c" } },
    { name = "prom", alertmanager = { url = "http://alertmanager:9093" } },
    { name = "hook", webhook = { url = "https://example.org/secret-d", secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" } },
]
routes = [
    { name = "page", classes = ["page"], receivers = ["primary"], escalation = [{ after_ms = "15m", receivers = ["chat"] }], group_wait_ms = 0 },
    { name = "rest", receivers = ["chat", "prom"] },
]
rotations = [
    { name = "primary", people = ["ana", "ben"], start = "2026-01-05T09:00:00+01:00", shift_ms = "7d", overrides = [{ from = "2026-02-01T00:00:00Z", to = "2026-02-03T00:00:00Z", who = "ben" }] },
]
maintenance = [
    { name = "patches", days = ["tue"], from = "22:00", to = "02:00", utc_offset = "+01:00" },
    { name = "move", dates = ["2026-12-24"], from = "00:00", to = "24:00", utc_offset = "-03:30", stages = ["loader"] },
]
allow_networks = ["10.0.0.0/8"]
heartbeat = { url = "https://hc.example.org/secret-e" }
"#;

#[test]
fn by_default_nobody_is_told() {
    let settings = settings("");
    assert!(!settings.are_on());
    assert_eq!(settings.validate(), []);
}

#[test]
fn what_is_set_is_who_is_told() {
    let settings = settings(WHOLE);
    assert_eq!(wrong(WHOLE), [""; 0]);
    let policy = settings.policy();
    assert_eq!(policy.rotations[0].on_call(1_767_600_000_000), Some("ana"));
    assert_eq!(policy.routes[0].timing.group_wait_ms, 0);
    assert_eq!(policy.routes[0].steps[1].after_ms, 15 * 60_000);
    assert_eq!(policy.routes[1].timing.repeat_interval_ms, 4 * 3_600_000);
    assert_eq!(policy.own_timing["prom"].repeat_interval_ms, 30_000);
    let [patches, move_] = &policy.maintenance[..] else { panic!("{:?}", policy.maintenance) };
    assert_eq!((patches.from_minute, patches.to_minute, patches.utc_offset_minutes), (1320, 120, 60));
    assert_eq!((move_.to_minute, move_.utc_offset_minutes), (1440, -210));
    // 2026-12-24T04:00Z is 00:30 there.
    assert!(move_.is_on(1_798_084_800_000) && !move_.is_on(1_798_084_800_000 - 3_600_000));
}

#[test]
fn no_secret_is_shown() {
    let settings = settings(WHOLE);
    let shown = format!("{settings:?} {}", toml::to_string(&settings).unwrap());
    assert!(!shown.contains("secret-") && !shown.contains("MfKQ9"), "{shown}");
}

#[test]
fn what_is_wrong_names_the_setting() {
    for (text, says) in [
        (
            "receivers = [{ name = \"a\", slack = { url = \"secret-x\" } }]",
            "alerts.receivers[0].slack.url: is not a URL",
        ),
        ("receivers = [{ name = \"a\" }]", "alerts.receivers[0].name: is told in no way"),
        ("receivers = [{ name = \"A\", slack = { url = \"https://a\" } }]", "alerts.receivers[0].name: \"A\""),
        ("receivers = [{ name = \"a\", slack = { url = \"https://a\" } }]", "alerts.routes: is empty"),
        ("routes = [{ name = \"a\", receivers = [\"b\"] }]", "alerts.routes[0].receivers: \"b\" is neither"),
        ("routes = [{ name = \"a\", receivers = [] }]", "alerts.routes[0].receivers: is empty"),
        (
            "rotations = [{ name = \"r\", people = [], start = \"\", shift_ms = \"1d\" }]",
            "alerts.rotations[0].people: is empty",
        ),
        (
            "rotations = [{ name = \"r\", people = [\"x\"], start = \"2026-01-01\", shift_ms = \"1d\" }]",
            "alerts.rotations[0].start: \"2026-01-01\" is not a time",
        ),
        (
            "maintenance = [{ name = \"m\", from = \"1:00\", to = \"02:00\", utc_offset = \"+00:00\" }]",
            "alerts.maintenance[0].from: \"1:00\"",
        ),
        (
            "maintenance = [{ name = \"m\", from = \"01:00\", to = \"02:00\", utc_offset = \"CET\" }]",
            "alerts.maintenance[0].utc_offset: \"CET\"",
        ),
        ("allow_networks = [\"localhost\"]", "alerts.allow_networks: \"localhost\" is not a network"),
        (
            "receivers = [{ name = \"a\", slack = { url = \"http://a/secret-c\" } }]",
            "alerts.receivers[0].slack.url: a secret would go over the internet in the clear",
        ),
        (
            "receivers = [{ name = \"a\", pagerduty = { routing_key = \"secret-a\", url = \"http://a\" } }]",
            "alerts.receivers[0].pagerduty.url: a secret",
        ),
        (
            "receivers = [{ name = \"a\", alertmanager = { url = \"http://a\", user = \"u\", password = \"secret-p\" } }]",
            "alerts.receivers[0].alertmanager.url: a secret",
        ),
        (
            "receivers = [{ name = \"a\", alertmanager = { url = \"http://a\", user = \"u\" } }]",
            "alerts.receivers[0].alertmanager.password: a user without a password",
        ),
        ("heartbeat = { url = \"http://a/secret-y\" }", "alerts.heartbeat.url: is a secret"),
        ("heartbeat = { url = \"secret-y\" }", "alerts.heartbeat.url: is not a URL"),
        (
            "receivers = [{ name = \"a\", mail = { server = \"h:25\", from = \"a\", to = [], tls = \"never\", user = \"u\", password = \"p\" } }]",
            "alerts.receivers[0].mail.tls: the password would go over the line in the clear",
        ),
        (
            "receivers = [{ name = \"a\", webhook = { url = \"https://a\", secret = \"secret-z\" } }]",
            "alerts.receivers[0].webhook.secret: is not a secret of Standard Webhooks",
        ),
    ] {
        let found = wrong(text);
        assert!(found.iter().any(|one| one.starts_with(says)), "{text}: {found:?}");
        assert!(!found.iter().any(|one| one.contains("secret-")), "{found:?}");
    }
}

#[test]
fn alertmanager_is_told_again_before_it_forgets() {
    let settings = settings(WHOLE);
    assert_eq!(settings.validate_interval(119_999), []);
    let problems = settings.validate_interval(120_000);
    assert_eq!(problems[0].key, "alerts.resend_ms");
    // In the clear only within named networks, or where there is no secret.
    assert_eq!(
        wrong(
            "receivers = [{ name = \"a\", alertmanager = { url = \"http://a\" } }]\nroutes = [{ name = \"r\", receivers = [\"a\"] }]"
        ),
        [""; 0]
    );
}
