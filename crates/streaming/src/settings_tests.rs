use std::path::Path;

use service::Settings as _;

use super::*;

fn load(toml: &str) -> Result<Settings, String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), toml).unwrap();
    service::load::<Settings>(DEFAULTS, Some(Path::new(file.path())), []).map_err(|error| error.to_string())
}

const ENDPOINT: &str = r#"
[[streaming.endpoints]]
name = "acme-github"
source = "github"
tenant = "acme"
secrets = ["s3cret-one", "s3cret-two"]
"#;

#[test]
fn the_defaults_are_valid_and_complete() {
    let settings = service::load::<Settings>(DEFAULTS, None, []).unwrap();
    assert_eq!(settings.streaming.listen, "127.0.0.1:8080");
    assert_eq!(settings.admin.listen, "127.0.0.1:8081");
    assert_eq!(settings.grpc.listen, "127.0.0.1:9090");
    assert!(settings.streaming.endpoints.is_empty());
    // An hour is what Envoy takes, the longest there is: whatever stands before a server closes first.
    let idle = settings.streaming.idle_timeout_ms.min(settings.admin.idle_timeout_ms);
    assert!(idle > 3_600_000 && settings.streaming.header_timeout_ms <= 10_000);
    assert!(settings.validate().is_empty());
}

#[test]
fn endpoints_and_their_secrets_are_never_shown() {
    let settings = load(&format!("{ENDPOINT}verify_token = \"s3cret-token\"\nrate_limit = 5\n")).unwrap();
    let endpoint = &settings.streaming.endpoints[0];
    assert_eq!(endpoint.name, "acme-github");
    assert_eq!(endpoint.secrets[1].expose(), "s3cret-two");
    assert_eq!(endpoint.rate_limit, Some(5));
    for shown in [format!("{settings:?}"), service::print(&settings)] {
        assert!(shown.contains("acme-github"), "{shown}");
        assert!(!shown.contains("s3cret"), "{shown}");
    }
}

#[test]
fn the_environment_has_the_last_word() {
    let env = [("WEIR__STREAMING__LISTEN", "127.0.0.1:0"), ("WEIR__STREAMING__TRUST_TRACEPARENT", "true")];
    let env = env.map(|(key, value)| (key.to_owned(), value.to_owned()));
    let settings = service::load::<Settings>(DEFAULTS, None, env).unwrap();
    assert_eq!(settings.streaming.listen, "127.0.0.1:0");
    assert!(settings.streaming.trust_traceparent);
}

#[test]
fn what_does_not_do_is_named_by_its_key() {
    let streaming = |line: &str| format!("[streaming]\n{line}\n");
    let endpoint = |from: &str, to: &str| ENDPOINT.replace(from, to);
    let standard = |secret: &str| {
        ENDPOINT.replace("source = \"github\"", "source = \"standard_webhooks\"").replace("s3cret-two", secret)
    };
    let rows = [
        (streaming("listen_on = \"x\""), "listen_on"),
        (streaming("max_connections = \"many\""), "streaming.max_connections"),
        (streaming("max_connections = 0"), "streaming.max_connections"),
        (streaming("header_timeout_ms = 0"), "streaming.header_timeout_ms"),
        (streaming("max_body_bytes = 27262976"), "streaming.max_body_bytes"),
        (streaming("max_buffered_bytes = 1048576"), "streaming.max_buffered_bytes"),
        (streaming("catch_up_timeout_ms = 1001"), "streaming.catch_up_timeout_ms"),
        (streaming("stop_delay_ms = 3600000"), "streaming.stop_delay_ms"),
        (streaming("retry_after_s = 0"), "streaming.retry_after_s"),
        (endpoint("acme-github", "Acme"), "streaming.endpoints[0].name"),
        (endpoint("\"acme\"", "\"a/b\""), "streaming.endpoints[0].tenant"),
        (endpoint("\"github\"", "\"gitub\""), "streaming.endpoints[0].source"),
        (endpoint("\"s3cret-two\"", "\"\""), "streaming.endpoints[0].secrets"),
        (endpoint("secrets = [\"s3cret-one\", \"s3cret-two\"]", "secrets = []"), "streaming.endpoints[0].secrets"),
        (endpoint("\"s3cret-two\"", "\" \""), "streaming.endpoints[0].secrets[1]"),
        (endpoint("\"s3cret-two\"", "\"s3cret\\ntwo\""), "streaming.endpoints[0].secrets[1]"),
        (standard("whsec_s3cret!"), "has no Base64"),
        (standard("whsk_s3cret"), "is the signing half"),
        (endpoint("\"acme\"", "\"acme \""), "streaming.endpoints[0].tenant"),
        (format!("{ENDPOINT}verify_token = \" \"\n"), "streaming.endpoints[0].verify_token"),
        (format!("{ENDPOINT}verify_token = \"\"\n"), "streaming.endpoints[0].verify_token"),
        (format!("{ENDPOINT}{ENDPOINT}"), "streaming.endpoints[1].name"),
        (format!("{ENDPOINT}secret = \"s3cret\"\n"), "secret"),
        ("[bus]\npartitions = 0\n".to_owned(), "bus.partitions"),
    ];
    for (toml, key) in rows {
        let error = load(&toml).expect_err(&toml);
        assert!(error.contains(key), "{toml}\n{error}");
        assert!(!error.contains("s3cret"), "{error}");
    }
}

/// As an editor of another system writes it.
#[test]
fn the_file_of_a_secret_may_begin_with_a_mark_and_end_with_a_line_break() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "\u{feff}s3cret\r\n").unwrap();
    let secret = format!("{{ file = {:?} }}", file.path());
    let settings = load(&ENDPOINT.replace("\"s3cret-one\"", &secret)).unwrap();
    assert_eq!(settings.streaming.endpoints[0].secrets[0].expose(), "s3cret");
}
