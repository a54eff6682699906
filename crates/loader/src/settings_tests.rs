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
    assert_eq!(wrong(|loader| loader.commit_interval_ms = 0), ["loader.commit_interval_ms"]);
    assert_eq!(wrong(|loader| loader.compact.target_bytes = 1), ["loader.compact.target_bytes"]);
    assert_eq!(wrong(|loader| loader.vacuum.retention_ms = 7 * 86_400_000), ["loader.vacuum.retention_ms"]);
    assert_eq!(wrong(|loader| loader.vacuum.retention_ms = 31 * 86_400_000), ["loader.vacuum.retention_ms"]);
}

#[test]
fn the_environment_gives_a_list_as_one_text() {
    let ids = "0123456789abcdef0123456789abcdef, ffffffffffffffffffffffffffffffff";
    let env = [("WEIR__LOADER__ACCEPT".to_owned(), ids.to_owned())];
    let settings: Settings = service::load(DEFAULTS, None, env).unwrap();
    assert_eq!(settings.loader.accept.len(), 2);
}
