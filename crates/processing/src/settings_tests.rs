use super::*;

fn load(env: &[(&str, &str)]) -> Result<Settings, String> {
    let key = ("WEIR__SECRETS__KEY_FILE", "/etc/weir/key");
    let env = env.iter().chain([&key]).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    service::load::<Settings>(DEFAULTS, None, env).map_err(|error| error.to_string())
}

#[test]
fn the_defaults_are_complete_and_valid() {
    let settings = load(&[]).unwrap();
    assert_eq!(settings.processing.sources().len(), sources::all().len());
    assert!(settings.processing.parse_threads() >= 1);
    assert_eq!(settings.processing.limit(), Limit::default());
}

#[test]
fn takes_sources_from_the_environment() {
    let settings = load(&[("WEIR__PROCESSING__SOURCES", "meta, github")]).unwrap();
    let names: Vec<&str> = settings.processing.sources().iter().map(|source| source.name()).collect();
    assert_eq!(names, ["meta", "github"]);
}

#[test]
fn every_problem_names_its_key() {
    let cases = [
        ("WEIR__PROCESSING__SOURCES", "myspace", "processing.sources"),
        ("WEIR__PROCESSING__BULK_SHARE", "0", "processing.bulk_share"),
        ("WEIR__PROCESSING__STORM__RATIO", "1.5", "processing.storm.ratio"),
        ("WEIR__PROCESSING__STORM__WINDOW_MS", "1", "processing.storm.window_ms"),
        ("WEIR__PROCESSING__PARSE_AHEAD_BATCHES", "0", "processing.parse_ahead_batches"),
        ("WEIR__PROCESSING__MEMORY_BYTES", "1024", "processing.memory_bytes"),
        ("WEIR__PROCESSING__BODY_MEMORY_FACTOR", "1", "processing.body_memory_factor"),
        ("WEIR__PROCESSING__BODY_MEMORY_LEAST_BYTES", "0", "processing.body_memory_least_bytes"),
        ("WEIR__PROCESSING__NO_SUCH_KEY", "1", "processing.no_such_key"),
        ("WEIR__REGISTRATIONS__MAX_SECRETS", "0", "registrations.max_secrets"),
        ("WEIR__REGISTRATIONS__DATABASE", "mysql://x", "registrations.database"),
    ];
    for (key, value, named) in cases {
        let error = load(&[(key, value)]).unwrap_err();
        assert!(error.contains(named), "{key}={value}: {error}");
    }
}

#[test]
fn who_has_not_all_sources_marks_claims_of_its_own_as_whole() {
    let shown = |sources: &str| {
        let settings = load(&[("WEIR__PROCESSING__SOURCES", sources)]).unwrap();
        format!("{:?}", settings.bus().claims)
    };
    let all = shown("all");
    let mut every = sources::names();
    every.reverse();
    assert_eq!(shown(&every.join(",")), all, "in whatever order");
    assert_ne!(shown("meta"), all);
    assert_eq!(shown("meta,github"), shown("github, meta"));
}
