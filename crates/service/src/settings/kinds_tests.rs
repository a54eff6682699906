use std::fs;

use serde::Deserialize;

use super::super::SecretsSettings;
use super::*;
use crate::tls::ClientTlsSettings;

fn keys(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.key.as_str()).collect()
}

#[derive(Serialize)]
struct Any<T: Serialize> {
    part: T,
}

#[derive(Default, Serialize)]
struct Part {
    #[serde(serialize_with = "common::kinds::listen")]
    door: Vec<String>,
    #[serde(serialize_with = "common::kinds::url")]
    other: Option<String>,
    plain: String,
}

#[test]
fn a_setting_of_a_kind_is_checked_whatever_its_name_is() {
    let part = |door: &[&str], other: Option<&str>| Part {
        door: door.iter().map(|door| (*door).to_owned()).collect(),
        other: other.map(str::to_owned),
        plain: ":1".to_owned(),
    };
    for (part, wrong) in [
        (part(&[], None), &[][..]),
        (part(&["localhost:1"], Some("http://a:1")), &[]),
        (part(&[":1"], Some("http://:1")), &["part.door", "part.other"]),
        (part(&["localhost:1", "a"], Some("")), &["part.door"]),
    ] {
        let found = values(&Any { part });
        assert_eq!(keys(&found), wrong, "{found:?}");
        assert!(found.iter().all(|problem| !problem.fix.is_empty()), "{found:?}");
    }
}

/// Sections as services have them.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Sections {
    #[serde(skip_serializing_if = "Option::is_none")]
    admin: Option<Tls<ServerTlsSettings>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    streaming: Option<Tls<ServerTlsSettings>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc: Option<Client>,
    #[serde(skip_serializing_if = "Option::is_none")]
    registrations: Option<Registrations>,
    #[serde(skip_serializing_if = "Option::is_none")]
    secrets: Option<SecretsSettings>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bus: Option<Bus>,
    #[serde(skip_serializing_if = "Option::is_none")]
    simulation: Option<Simulation>,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Tls<T> {
    tls: T,
}

#[derive(Deserialize, Serialize)]
struct Client {
    client: ClientTlsSettings,
}

#[derive(Deserialize, Serialize)]
struct Registrations {
    create_key_file: bool,
}

#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct Bus {
    kafka: OwnTls,
    #[serde(serialize_with = "common::kinds::secret_file")]
    password: PathBuf,
}

/// Of a client with a library of its own.
#[derive(Default, Deserialize, Serialize)]
#[serde(default)]
struct OwnTls {
    #[serde(serialize_with = "common::kinds::certificate_file")]
    certificate_file: String,
    #[serde(serialize_with = "common::kinds::file")]
    key_file: String,
}

#[derive(Deserialize, Serialize)]
struct Simulation {
    #[serde(serialize_with = "common::kinds::made_file")]
    secrets_file: PathBuf,
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
    let client = |ca: &str| format!("[grpc.client]\nca_file = '{ca}'\ncertificate_file = ''\nkey_file = ''\n");
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
        (client(&other), None),
        (client(&other_key), Some("grpc.client.ca_file")),
        (format!("[bus]\npassword = '{}'", path("password")), None),
        (format!("[bus]\npassword = '{}'", path("empty")), Some("bus.password")),
        (format!("[bus]\npassword = '{gone}'"), Some("bus.password")),
        (format!("[bus]\npassword = '{}'", folder.path().display()), Some("bus.password")),
        // Who does not read it need not have it; who makes it neither.
        (format!("[secrets]\nkey_file = '{gone}'"), None),
        (format!("[streaming]\n[secrets]\nkey_file = '{gone}'"), Some("secrets.key_file")),
        (format!("[registrations]\ncreate_key_file = true\n[secrets]\nkey_file = '{gone}'"), None),
        (format!("[simulation]\nsecrets_file = '{gone}'"), None),
    ] {
        let found = files(&toml::from_str::<Sections>(&text).unwrap());
        assert_eq!(keys(&found), Vec::from_iter(wrong), "{text}: {found:?}");
        assert!(found.iter().all(|problem| problem.problem.contains("the file /")), "{found:?}");
    }
}
