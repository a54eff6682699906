use service::Settings as _;

use super::*;

fn load(text: &str) -> Result<Settings, service::SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, text).unwrap();
    service::load(DEFAULTS, Some(&file), [])
}

#[test]
fn the_defaults_are_those_of_one_machine() {
    let settings = load("").unwrap();
    assert_eq!(settings.admin.listen, "127.0.0.1:8081");
    assert_eq!(settings.grpc.listen, "127.0.0.1:9090");
    assert_eq!(settings.streaming.listen, "127.0.0.1:8080");
    assert_eq!(settings.bus.data_dir, Path::new("./weir-data"));
    assert!(settings.bus.create_topics && settings.registrations.create_key_file);
    assert!(settings.secrets.key_file.as_ref().unwrap().starts_with("./weir-data"));
    assert!(settings.registrations.database.contains("./weir-data/"));
    assert!(settings.validate().is_empty());
}

/// Where each of what is kept on this machine is.
fn places(text: &str) -> [String; 5] {
    let settings = load(text).unwrap();
    let shown = |path: &Path| path.display().to_string();
    [
        shown(&settings.bus.data_dir),
        settings.lake.root,
        shown(settings.secrets.key_file.as_deref().unwrap()),
        settings.registrations.database,
        shown(&settings.simulation.secrets_file),
    ]
}

#[test]
fn one_setting_moves_all_that_is_kept_here_and_what_is_set_stays() {
    let all = ["", "/lake", "/secrets.key", "/registrations.db", "/simulation.toml"];
    let within = |dir: &str| all.map(|name| format!("{dir}{name}"));
    let with_scheme = |mut places: [String; 5]| {
        places[3] = format!("sqlite://{}", places[3]);
        places
    };
    assert_eq!(places(""), with_scheme(within("./weir-data")));
    assert_eq!(places("[data]\ndir = \"/var/lib/weir\""), with_scheme(within("/var/lib/weir")));
    let own = places("[data]\ndir = \"/a\"\n[lake]\nroot = \"s3://b/c\"\n[bus]\ndata_dir = \"./{data.dir}\"");
    assert_eq!(
        own,
        ["./{data.dir}", "s3://b/c", "/a/secrets.key", "sqlite:///a/registrations.db", "/a/simulation.toml"]
    );
}

#[test]
fn unknown_keys_and_wrong_values_are_named() {
    for (text, key) in [
        ("[simulation]\nrates = 3.0", "simulation.rates"),
        ("[simulation]\nrate = -1.0", "simulation.rate"),
        ("[simulation]\npages = 1", "simulation.pages"),
        ("[simulation]\nskew = 99.0", "simulation.skew"),
        ("[simulation]\nmix = \"myspace=1\"", "simulation.mix"),
        ("[simulation]\nbroken = 0.9", "simulation.broken"),
        ("[bus]\npartitions = 0", "bus.partitions"),
    ] {
        let error = load(text).unwrap_err();
        let keys: Vec<_> = error.faults.iter().map(|fault| fault.key.as_str()).collect();
        assert!(keys.contains(&key), "{text}: {error}");
        // What two services read is told once.
        let mut unique = keys.clone();
        unique.dedup();
        assert_eq!(keys, unique);
    }
}

#[test]
fn nothing_secret_is_shown() {
    let mut settings = load(
        "[bus.claims]\nurl = \"redis://weir:planted@127.0.0.1:6379/0\"\n\
         [[streaming.endpoints]]\nname = \"x\"\nsource = \"meta\"\ntenant = \"t\"\nsecrets = [\"planted\"]\n\
         verify_token = \"planted\"\n",
    )
    .unwrap();
    for key in ["sasl.password", "ssl.key.password", "ssl.key.pem", "sasl.oauthbearer.client.secret"] {
        settings.bus.kafka.properties.insert(key.to_owned(), "planted".to_owned());
    }
    let parts = [format!("{:?}", settings.streaming()), format!("{:?}", settings.bus), format!("{settings:#?}")];
    for shown in parts.into_iter().chain([service::print(&settings)]) {
        assert!(!shown.contains("planted"), "{shown}");
    }
}
