use super::*;

fn load(change: &str) -> Result<Settings, toml::de::Error> {
    let mut table: toml::Table = toml::from_str(DEFAULTS).unwrap();
    let change: toml::Table = toml::from_str(change).unwrap();
    merge(&mut table, change);
    table.remove("bus").unwrap().try_into()
}

fn merge(into: &mut toml::Table, from: toml::Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(toml::Value::Table(into)), toml::Value::Table(from)) => merge(into, from),
            (_, value) => drop(into.insert(key, value)),
        }
    }
}

fn problems(change: &str) -> Vec<(String, String)> {
    let problem = |Problem { key, problem, fix }| (key, format!("{problem}; {fix}"));
    load(change).unwrap().validate().into_iter().map(problem).collect()
}

#[test]
fn the_defaults_are_valid_and_come_back_from_what_is_printed() {
    let settings = load("").unwrap();
    assert_eq!(settings.validate(), []);
    let printed = toml::Value::try_from(&settings).unwrap();
    let again: Settings = printed.try_into().unwrap();
    assert_eq!(again.kafka.brokers, ["127.0.0.1:9092"]);
    assert_eq!(settings.producer.max_record_bytes, 26 * 1024 * 1024, "the largest body and 1 MiB");
}

#[test]
fn unknown_keys_and_wrong_types_are_refused() {
    for change in [
        "[bus]\npartitons = 3",
        "[bus.kafka]\nbroker = \"a:1\"",
        "[bus.producer]\nacks = 1",
        "[bus.consumer]\nx = 1",
        "[bus.claims]\nx = 1",
        "[bus.claims]\nstore = \"memory\"",
        "[bus]\npartitions = \"many\"",
    ] {
        assert!(load(change).is_err(), "{change}");
    }
}

#[test]
fn brokers_are_a_list_or_a_text_with_commas() {
    let settings = load("[bus.kafka]\nbrokers = \"a:1, b:2,\"").unwrap();
    assert_eq!(settings.kafka.brokers, ["a:1", "b:2"]);
}

#[test]
fn without_brokers_the_log_is_embedded() {
    for none in ["[]", "\"\"", "\" , \""] {
        let settings = load(&format!("[bus.kafka]\nbrokers = {none}")).unwrap();
        assert!(settings.is_embedded(), "{none}");
        assert_eq!(settings.validate(), []);
    }
    assert!(!load("").unwrap().is_embedded());
}

#[test]
fn each_problem_names_its_key() {
    for (change, key) in [
        ("[bus]\ntopic_prefix = \"a/b\"", "bus.topic_prefix"),
        ("[bus]\ndata_dir = \"\"", "bus.data_dir"),
        ("[bus.kafka]\nbrokers = \"nowhere\"", "bus.kafka.brokers"),
        ("[bus.kafka]\nbrokers = \"a:0\"", "bus.kafka.brokers"),
        ("[bus.kafka]\nbrokers = \"kafka://a:9092\"", "bus.kafka.brokers"),
        ("[bus.kafka]\nbrokers = [\"a:9092\", \"http://b:9092\"]", "bus.kafka.brokers"),
        ("[bus.kafka]\nbrokers = \"::1:9092\"", "bus.kafka.brokers"),
        ("[bus.kafka]\nsecurity_protocol = \"tls\"", "bus.kafka.security_protocol"),
        ("[bus.kafka]\ncertificate_file = \"c.pem\"", "bus.kafka.key_file"),
        ("[bus.kafka.properties]\nacks = \"1\"", "bus.kafka.properties"),
        ("[bus.kafka.properties]\n\"auto.offset.reset\" = \"earliest\"", "bus.kafka.properties"),
        ("[bus.producer]\nmax_in_flight_bytes = \"1MiB\"", "bus.producer.max_in_flight_bytes"),
        ("[bus.producer]\ncompression = \"brotli\"", "bus.producer.compression"),
        ("[bus.producer.compression_by_topic]\n\"raw.*\" = \"brotli\"", "bus.producer.compression_by_topic"),
        ("[bus.producer.compression_by_topic]\n\"*.bulk\" = \"none\"", "bus.producer.compression_by_topic"),
        ("[bus.consumer]\nrevoke_drain_ms = 45000", "bus.consumer.revoke_drain_ms"),
        ("[bus.consumer]\nretry_backoff_max_ms = 1", "bus.consumer.retry_backoff_max_ms"),
        ("[bus.claims]\nfolder = \"../elsewhere\"", "bus.claims.folder"),
        ("[bus.claims]\nstore = \"redis\"\nurl = \"http://a\"", "bus.claims.url"),
    ] {
        let problems = problems(change);
        assert!(problems.iter().all(|(found, _)| found == key) && !problems.is_empty(), "{change}: {problems:?}");
    }
    let sasl = problems("[bus.kafka]\nsecurity_protocol = \"sasl_ssl\"");
    let keys: Vec<_> = sasl.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["bus.kafka.sasl_username", "bus.kafka.sasl_password_file"]);
}

#[test]
fn a_number_out_of_its_range_is_told_with_it() {
    for (change, told) in [
        ("[bus]\npartitions = 0", "0 is out of range; give 1 to 10000"),
        ("[bus]\nreplication_factor = 0", "0 is out of range; give 1 to 100"),
        ("[bus.producer]\nproducers = 65", "65 is out of range; give 1 to 64"),
        ("[bus.producer]\nmax_record_bytes = 10", "10B is out of range; give 1KiB to 1000000000B"),
        ("[bus.kafka]\nsession_timeout_ms = \"1ms\"", "1ms is out of range; give 1s to 49d"),
        ("[bus.claims]\nttl_days = 7", "7d is out of range; give 8d to 3650d"),
    ] {
        let error = load(change).unwrap_err().to_string();
        assert!(error.contains(told), "{change}: {error}");
    }
}

#[test]
fn a_password_is_never_shown() {
    for url in [
        "redis://user:hunter2@host:1/0",
        "redis://:hunter2@host:1/0",
        "redis://:hunter2/x@host:1/0",
        "redis://:a@hunter2@host:1",
    ] {
        let secret = SecretUrl::new(url);
        assert!(secret.to_string().contains("***@host:1"), "{secret}");
        assert!(!format!("{secret} {secret:?}").contains("hunter2"));
    }
    assert_eq!(SecretUrl::new("redis://host:1/0").to_string(), "redis://host:1/0");

    let settings = load(
        "[bus.claims]\nurl = \"redis://:hunter2@host:1/0\"\n[bus.kafka.properties]\n\"ssl.key.password\" = \"hunter2\"\n\"sasl.jaas.config\" = \"hunter2\"",
    )
    .unwrap();
    let printed = toml::to_string(&toml::Value::try_from(&settings).unwrap()).unwrap();
    assert!(!printed.contains("hunter2") && printed.contains("***"), "{printed}");
    assert!(!format!("{settings:?}").contains("hunter2"));
}
