use super::*;

fn defaults() -> Settings {
    service::load(DEFAULTS, None, []).unwrap()
}

fn keys(settings: &LoaderSettings) -> Vec<String> {
    settings.validate().into_iter().map(|problem| problem.key).collect()
}

#[test]
fn the_defaults_do() {
    assert_eq!(service::Settings::validate(&defaults()), []);
}

#[test]
fn what_does_not_do_is_named() {
    let wrong = |change: fn(&mut LoaderSettings)| {
        let mut settings = defaults().loader;
        change(&mut settings);
        keys(&settings)
    };
    assert_eq!(wrong(|loader| loader.group.clear()), ["loader.group"]);
    assert_eq!(wrong(|loader| loader.accept = vec!["all".into()]), ["loader.accept"]);
    for (variable, value, told) in [
        ("COMMIT_INTERVAL_MS", "0", "loader.commit_interval_ms"),
        ("COMPACT__TARGET_BYTES", "1", "1B is out of range; give 1MiB to 4GiB"),
        ("VACUUM__RETENTION_MS", "7d", "7d is out of range; give 8d to 30d"),
        ("VACUUM__RETENTION_MS", "31d", "loader.vacuum.retention_ms"),
    ] {
        let env = [(format!("WEIR__LOADER__{variable}"), value.to_owned())];
        let error = service::load::<Settings>(DEFAULTS, None, env).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn the_environment_gives_a_list_as_one_text() {
    let ids = "0123456789abcdef0123456789abcdef, ffffffffffffffffffffffffffffffff";
    let env = [("WEIR__LOADER__ACCEPT".to_owned(), ids.to_owned())];
    let settings: Settings = service::load(DEFAULTS, None, env).unwrap();
    assert_eq!(settings.loader.accept.len(), 2);
}
