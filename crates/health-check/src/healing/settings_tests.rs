use service::SettingsError;

use super::*;

fn load(more: &str) -> Result<HealingSettings, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    let loader = "[[health_check.services]]\nname = \"loader\"\naddresses = [\"http://127.0.0.1:1\"]\nexpected = 1\n";
    std::fs::write(&file, format!("{loader}[health_check.healing]\n{more}")).unwrap();
    let settings: Result<crate::Settings, _> = service::load(crate::DEFAULTS, Some(&file), []);
    settings.map(|settings| settings.health_check.healing)
}

#[test]
fn it_is_off_and_its_first_step_is_to_do_nothing() {
    let settings = load("").unwrap();
    assert!(!settings.enabled && settings.dry_run);
    assert_eq!(settings.stages, ["processing", "enricher", "loader"]);
    let minutes = |minutes: i64| minutes * 60_000;
    let pacing = Pacing {
        after_ms: minutes(5),
        pause_ms: minutes(15),
        jitter_ms: minutes(1),
        window_ms: minutes(24 * 60),
        most: 3,
    };
    assert_eq!(settings.pacing(), pacing);
    assert_eq!(settings.kubernetes.namespace, None);
    let settings = load("enabled = true\nstages = \"loader\"\n").unwrap();
    assert!(settings.enabled);
}

#[test]
fn what_cannot_be_is_named() {
    for (more, key, says) in [
        ("enabled = true\n", "healing.stages", "\"processing\" is not the name of a service"),
        ("stages = [\"streaming\"]\n", "healing.stages", "not a stage that can be restarted"),
        ("stages = [\"probes\"]\n", "healing.stages", "not a stage that can be restarted"),
        ("stages = [\"health-check\"]\n", "healing.stages", "not a stage that can be restarted"),
        ("stages = [\"../loader\"]\n", "healing.stages", "not a stage that can be restarted"),
        ("stages = [\"\"]\n", "healing.stages", "not a stage that can be restarted"),
        ("stages = [\"loader\", \"loader\"]\n", "healing.stages", "is there twice"),
        ("jitter_ms = \"16m\"\n", "healing.jitter_ms", "longer than pause_ms"),
        ("window_ms = \"59m\"\n", "healing.window_ms", "too short"),
        ("pause_ms = \"0s\"\n", "pause_ms", "1m"),
        ("most = 0\n", "most", "1"),
        ("mostly = 1\n", "mostly", "most"),
        ("kubernetes = { namespace = \"../x\" }\n", "healing.kubernetes.namespace", "not the name"),
        ("kubernetes = { url = \"k8s:1\" }\n", "healing.kubernetes.url", "not a URL"),
    ] {
        let error = load(more).unwrap_err().to_string();
        assert!(error.contains(key) && error.contains(says), "{more}: {error}");
    }
    assert!(load("window_ms = \"1h\"\n").is_ok(), "three times after pauses of 15 and 30 minutes");
}
