use std::collections::BTreeMap;

use crate::Settings;

fn settings(properties: &[(&str, &str)]) -> Settings {
    let mut file: toml::Table = toml::from_str(crate::DEFAULTS).unwrap();
    let mut settings: Settings = file.remove("bus").unwrap().try_into().unwrap();
    let owned = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    settings.kafka.properties = properties.iter().map(owned).collect::<BTreeMap<_, _>>();
    settings
}

/// What the client itself says it was given.
fn in_effect(settings: &Settings, key: &str) -> String {
    super::config(settings).unwrap().create_native_config().unwrap().get(key).unwrap()
}

#[test]
fn properties_reach_the_client_and_stand_over_what_is_only_a_preference() {
    let all = settings(&[("socket.timeout.ms", "12345"), ("reconnect.backoff.max.ms", "7000"), ("client.id", "ours")]);
    assert_eq!(all.validate(), []);
    for (key, value) in [
        ("socket.timeout.ms", "12345"),
        ("reconnect.backoff.max.ms", "7000"),
        ("client.id", "ours"),
        ("reconnect.backoff.ms", "100"),
        ("bootstrap.servers", "127.0.0.1:9092"),
    ] {
        assert_eq!(in_effect(&all, key), value, "{key}");
    }
    assert_eq!(in_effect(&settings(&[]), "client.id"), "weir");
}

#[test]
fn what_the_client_does_not_know_is_told_with_the_setting() {
    let error = crate::kafka::Kafka::open(settings(&[("socket.timeut.ms", "1")]).into()).unwrap_err().to_string();
    assert!(error.contains("bus.kafka") && error.contains("socket.timeut.ms"), "{error}");
}

#[test]
fn what_is_overruled_is_refused() {
    let all = settings(&[("security.protocol", "ssl"), ("statistics.interval.ms", "5"), ("linger.ms", "7")]);
    let problems = all.validate();
    assert_eq!(problems.len(), 3, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.key == "bus.kafka.properties"), "{problems:?}");
}
