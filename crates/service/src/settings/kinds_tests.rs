use std::fs;

use super::*;

fn table(text: &str) -> Table {
    text.parse().unwrap()
}

fn keys(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.key.as_str()).collect()
}

#[test]
fn every_setting_of_a_kind_is_checked_by_its_name() {
    for (name, good, bad) in [
        (
            "listen",
            &["0.0.0.0:8080", "[::]:0", "localhost:1"][..],
            &["", ":8080", "0.0.0.0", "127.0.0.1:99999", "::1:80", "http://0.0.0.0:80", "a b:80"][..],
        ),
        (
            "other_url",
            &["", "processing", "http://a:9090", "https://[::1]", "redis://u:p@h:6379/0", "unix:///run/redis.sock"],
            &[
                "http://",
                "http://:9090",
                "https://a:99999",
                "http://a:b",
                "redis://h:0/0",
                "http://a b",
                "redis://u:p@",
            ],
        ),
        ("otlp_endpoint", &["http://a:4317"], &["http://:4317"]),
        ("key_file", &["", "keys/a.pem", "/etc/a.pem"], &["~/a.pem", "~weir/a", "file:///etc/a.pem"]),
        ("data_dir", &["data", "./data", "/var/lib/weir"], &["~/data", "s3://bucket"]),
        ("root", &["lake", "s3://bucket/lake"], &["~/lake"]),
    ] {
        for (values_of, problems) in [(good, 0), (bad, 1)] {
            for value in values_of {
                let mut section = Table::new();
                section.insert(name.to_owned(), Value::String((*value).to_owned()));
                let settings = Table::from_iter([("part".to_owned(), Value::Table(section))]);
                let found = values(&settings);
                assert_eq!(found.len(), problems, "{name} = {value:?}: {found:?}");
                assert!(found.iter().all(|problem| problem.key == format!("part.{name}")), "{found:?}");
                let texts: String =
                    found.iter().map(|problem| format!("{} {}", problem.problem, problem.fix)).collect();
                assert!(!texts.contains("u:p@"), "{texts}");
            }
        }
    }
    let nested = table("[[a.b]]\nlisten = ':1'\n[a.c]\naddresses = ['http://x:1', 'http://:2']\nfile = 3");
    assert_eq!(keys(&values(&nested)), ["a.b[0].listen", "a.c.addresses"]);
}

#[test]
fn files_have_to_be_there_and_to_be_what_they_are_named_for() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("password"), "open sesame\n").unwrap();
    fs::write(path("empty"), "\n").unwrap();
    let (certificate, key) = (path("a.pem"), path("a-key.pem"));
    let (other, other_key) = (path("b.pem"), path("b-key.pem"));
    for (certificate, key) in [(&certificate, &key), (&other, &other_key)] {
        let made = std::process::Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
            .args(["-subj", "/CN=weir", "-addext", "subjectAltName=DNS:weir", "-keyout", key, "-out", certificate])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let pair = |section: &str, certificate: &str, key: &str| {
        format!("[{section}]\ncertificate_file = '{certificate}'\nkey_file = '{key}'\n")
    };
    let gone = path("gone");
    for (text, wrong) in [
        (pair("admin.tls", &certificate, &key), None),
        (pair("admin.tls", &certificate, &other_key), Some("admin.tls.key_file")),
        (pair("admin.tls", &key, &key), Some("admin.tls.certificate_file")),
        (pair("streaming.tls", &certificate, &gone), Some("streaming.tls.key_file")),
        (pair("streaming.tls", "", ""), None),
        (pair("bus.kafka", &certificate, &key), None),
        (pair("bus.kafka", &gone, &key), Some("bus.kafka.certificate_file")),
        (pair("bus.kafka", &certificate, &gone), Some("bus.kafka.key_file")),
        (format!("[grpc.client]\nca_file = '{other}'"), None),
        (format!("[grpc.client]\nca_file = '{other_key}'"), Some("grpc.client.ca_file")),
        (format!("[bus.claims]\npassword_file = '{}'", path("password")), None),
        (format!("[bus.claims]\npassword_file = '{}'", path("empty")), Some("bus.claims.password_file")),
        (format!("[lake]\ns3_secret_access_key_file = '{gone}'"), Some("lake.s3_secret_access_key_file")),
        (
            format!("[lake]\ns3_secret_access_key_file = '{}'", folder.path().display()),
            Some("lake.s3_secret_access_key_file"),
        ),
        // Who does not read it need not have it; who makes it neither.
        (format!("[secrets]\nkey_file = '{gone}'"), None),
        (format!("[streaming]\n[secrets]\nkey_file = '{gone}'"), Some("secrets.key_file")),
        (format!("[registrations]\ncreate_key_file = true\n[secrets]\nkey_file = '{gone}'"), None),
        (format!("[simulation]\nsecrets_file = '{gone}'"), None),
    ] {
        let found = files(&table(&text));
        assert_eq!(keys(&found), Vec::from_iter(wrong), "{text}: {found:?}");
        assert!(found.iter().all(|problem| problem.problem.contains("the file /")), "{found:?}");
    }
}
