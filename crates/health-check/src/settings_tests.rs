use service::Settings as _;

use super::*;

fn load(file: &str) -> Settings {
    let folder = std::env::temp_dir().join(format!("weir-health-settings-{}-{}", std::process::id(), file.len()));
    std::fs::write(&folder, file).unwrap();
    let settings = service::load(DEFAULTS, Some(&folder), []);
    std::fs::remove_file(&folder).unwrap();
    settings.unwrap()
}

#[test]
fn the_defaults_lack_only_whom_to_ask() {
    let folder = std::env::temp_dir();
    assert!(folder.exists());
    let error = service::load::<Settings>(DEFAULTS, None, []).unwrap_err().to_string();
    assert!(error.contains("health_check.services") && error.contains("[[health_check.services]]"), "{error}");
    assert_eq!(error.matches("health_check.").count(), 2, "{error}");
}

#[test]
fn services_are_read_from_a_file() {
    let settings =
        load("[[health_check.services]]\nname = \"streaming\"\naddresses = [\"http://door:9090\"]\nexpected = 2\n");
    assert!(settings.validate().is_empty());
    let watched = settings.health_check.watched();
    assert_eq!((watched[0].service.as_str(), watched[0].expected), ("streaming", 2));
}

#[test]
fn what_cannot_be_is_named() {
    let mut settings =
        load("[[health_check.services]]\nname = \"loader\"\naddresses = [\"http://x:1\"]\nexpected = 1\n");
    let bad = ["x:9090", "ftp://x:9090", "http://x", "http://:90", "http://x:0", "http://x:9090/path"];
    settings.health_check.services[0].addresses = bad.map(str::to_owned).to_vec();
    settings.health_check.limits.age_failing_s = 1.0;
    "two\nlines".clone_into(&mut settings.health_check.name);
    let problems: Vec<_> = settings.validate().into_iter().map(|problem| problem.key).collect();
    assert_eq!(problems[..2], ["health_check.name", "health_check.limits"]);
    assert_eq!(problems.len(), 2 + bad.len());
    assert_eq!(host_port("http://[::1]:9090/"), Some("[::1]:9090"));
}
