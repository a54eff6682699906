use std::collections::BTreeMap;
use std::fs;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;

use super::*;
use crate::{DEFAULTS, Secret, check_listen};

pub(crate) const OWN: &str = r#"
[shop]
listen = "127.0.0.1:0"
brokers = ["127.0.0.1:9092"]
ports = [1, 2]
rate = 1.5
count = 10
small = 3
fast = false
mode = "keep"
password = "unset"
[shop.limits]
page = 5
"#;

crate::settings! {
    pub(crate) struct All { shop: Shop }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Shop {
    listen: String,
    pub(super) brokers: Vec<String>,
    ports: Vec<u16>,
    rate: f64,
    count: u64,
    small: u8,
    fast: bool,
    mode: Mode,
    password: Secret,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u32>,
    pub(super) limits: BTreeMap<String, u32>,
}

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Keep,
    Drop,
}

impl All {
    fn problems(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> = check_listen("shop.listen", &self.shop.listen).into_iter().collect();
        if self.shop.count > 100 {
            problems.push(Problem::new("shop.count", format!("{} is too many", self.shop.count), "give at most 100"));
        }
        problems
    }
}

pub(crate) fn all() -> All {
    load(&[DEFAULTS, OWN], None, []).unwrap()
}

pub(super) fn load_with(file: &str, env: &[(&str, &str)]) -> Result<All, String> {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("weir.toml");
    fs::write(&path, file).unwrap();
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    load(&[DEFAULTS, OWN], Some(&path), env)
        .map_err(|error| error.to_string().replace(&path.display().to_string(), "weir.toml"))
}

pub(super) fn error_of(file: &str, env: &[(&str, &str)]) -> String {
    load_with(file, env).expect_err("these settings are bad")
}

#[test]
fn the_defaults_are_good() {
    let all = all();
    assert_eq!(all.admin.listen, "127.0.0.1:8081");
    assert_eq!(all.grpc.listen, "127.0.0.1:9090");
    assert_eq!(all.telemetry.otlp_endpoint, None);
    assert_eq!(all.secrets.key_file, None);
    assert_eq!(all.shop.limits, BTreeMap::from([("page".to_owned(), 5)]));
}

#[test]
fn the_environment_stands_over_the_file_and_the_file_over_the_defaults() {
    let file = "[shop]\ncount = 20\nsmall = 4\nlimit = 7\n[shop.limits]\npost = 6\n";
    let all = load_with(file, &[("WEIR__SHOP__COUNT", "30"), ("PATH", "/bin"), ("WEIR_HOME", "/x")]).unwrap();
    assert_eq!((all.shop.count, all.shop.small, all.shop.limit), (30, 4, Some(7)));
    assert_eq!(all.shop.limits.len(), 2, "tables are merged");
    assert_eq!(all.shop.ports, [1, 2]);
}

#[test]
fn variables_are_read_as_what_is_asked_for() {
    let all = load_with(
        "[shop]\nlimit = 7\n",
        &[
            ("WEIR__SHOP__BROKERS", "a:1, b:2"),
            ("WEIR__SHOP__PORTS", "80,443"),
            ("WEIR__SHOP__RATE", "2"),
            ("WEIR__SHOP__SMALL", "255"),
            ("WEIR__SHOP__FAST", "true"),
            ("WEIR__SHOP__MODE", "drop"),
            ("WEIR__SHOP__PASSWORD", "12345"),
            ("WEIR__SHOP__LIMIT", ""),
            ("WEIR__SHOP__LIMITS__PAGE", "9"),
            ("WEIR__TELEMETRY__OTLP_ENDPOINT", "http://127.0.0.1:4317"),
        ],
    )
    .unwrap();
    assert_eq!(all.shop.brokers, ["a:1", "b:2"]);
    assert_eq!(all.shop.ports, [80, 443]);
    assert!((all.shop.rate - 2.0).abs() < f64::EPSILON);
    assert_eq!((all.shop.small, all.shop.fast, all.shop.mode), (255, true, Mode::Drop));
    assert_eq!(all.shop.password.expose(), "12345", "a text, although it looks like a number");
    assert_eq!(all.shop.limit, None, "an empty variable unsets what is optional");
    assert_eq!(all.shop.limits["page"], 9);
    assert_eq!(all.telemetry.otlp_endpoint.as_deref(), Some("http://127.0.0.1:4317"));

    let all = load_with("", &[("WEIR__SHOP__BROKERS", ""), ("WEIR__SHOP__PORTS", "1")]).unwrap();
    assert!(all.shop.brokers.is_empty());
    assert_eq!(all.shop.ports, [1]);
}

const LISTEN_FIX: &str = "write host:port, for example 127.0.0.1:8081, with port 0 for a free one";
const TIME_FIX: &str = "give a time with its unit, as \"10s\" or \"250ms\", or a whole number of milliseconds";
const ADMIN_KEYS: &str =
    "listen, header_timeout_ms, idle_timeout_ms, write_timeout_ms, max_connections, max_header_bytes, tls";
const SECTIONS: &str = "admin, grpc, telemetry, shutdown, secrets, data, shop";

#[test]
fn errors_of_the_file() {
    for (file, expected) in [
        (
            "[admin]\nlissten = \"127.0.0.1:1\"\n",
            format!("admin.lissten (weir.toml line 2): there is no such setting; did you mean `listen`? known in [admin]: {ADMIN_KEYS}"),
        ),
        (
            "[shopp]\ncount = 1\n",
            format!("shopp (weir.toml line 2): there is no such setting; did you mean `shop`? known at the top level: {SECTIONS}"),
        ),
        (
            "verbose = true\n",
            format!("verbose (weir.toml line 1): there is no such setting; remove it; known at the top level: {SECTIONS}"),
        ),
        (
            "[shop]\n\ncount = \"12\"\n",
            "shop.count (weir.toml line 3): \"12\" is not what is expected; give a whole number from 0 on, without quotes".to_owned(),
        ),
        (
            "[shop]\ncount = -1\n",
            "shop.count (weir.toml line 2): -1 is not what is expected; give a whole number from 0 on, without quotes".to_owned(),
        ),
        (
            "[shop]\nsmall = 256\n",
            "shop.small (weir.toml line 2): 256 is not what is expected; give a whole number from 0 to 255, without quotes".to_owned(),
        ),
        (
            "[shop]\nfast = \"yes\"\n",
            "shop.fast (weir.toml line 2): \"yes\" is not what is expected; give true or false, without quotes".to_owned(),
        ),
        (
            "[shop]\nlisten = 8080\n",
            "shop.listen (weir.toml line 2): 8080 is not what is expected; give a text in double quotes".to_owned(),
        ),
        (
            "[shop]\nlisten = \"8080\"\n",
            format!("shop.listen (weir.toml line 2): \"8080\" has no port; {LISTEN_FIX}"),
        ),
        (
            "[shop]\nbrokers = \"a:1\"\n",
            "shop.brokers (weir.toml line 2): \"a:1\" is not what is expected; give a list: [\"a\", \"b\"], or in a variable a,b".to_owned(),
        ),
        (
            "[shop]\nports = [\n  1,\n  \"x\",\n]\n",
            "shop.ports[1] (weir.toml line 4): \"x\" is not what is expected; give a whole number from 0 to 65535, without quotes".to_owned(),
        ),
        (
            "[shop]\nmode = \"kep\"\n",
            "shop.mode (weir.toml line 2): \"kep\" is not known; give keep or drop".to_owned(),
        ),
        (
            "[shop.limits]\npost = true\n",
            "shop.limits.post (weir.toml line 2): true is not what is expected; give a whole number from 0 to 4294967295, without quotes".to_owned(),
        ),
        (
            "shop = 3\n",
            "shop (weir.toml line 1): 3 is not what is expected; give a section with keys, not one value".to_owned(),
        ),
        (
            "[shop]\ncount = 99999999999999999999\n",
            "shop.count (weir.toml line 2): the number is out of range; give a smaller one".to_owned(),
        ),
        (
            "[\"shop.limits\"]\npage = 1\n",
            "\"shop.limits\" (weir.toml line 1): not the name of a section; use letters, digits, _ and -, without quotes".to_owned(),
        ),
    ] {
        assert_eq!(error_of(file, &[]), expected, "{file}");
    }
}

#[test]
fn errors_of_what_every_service_has() {
    for (file, expected) in [
        (
            "[telemetry]\nsample_ratio = 1.5\n",
            "telemetry.sample_ratio (weir.toml line 2): 1.5 is out of range; give 0 to 1".to_owned(),
        ),
        (
            "[telemetry]\notlp_endpoint = \"https://collector\"\n",
            "telemetry.otlp_endpoint (weir.toml line 2): \"https://collector\" is not the address of a collector; write http://host:4317; for TLS run a collector beside the service".to_owned(),
        ),
        (
            "[shutdown]\ndeadline_ms = 0\n",
            "shutdown.deadline_ms (weir.toml line 2): 0ms is out of range; give at least 1ms".to_owned(),
        ),
        (
            "[shutdown]\ndeadline_ms = \"soon\"\n",
            format!("shutdown.deadline_ms (weir.toml line 2): \"soon\" is not what is expected; {TIME_FIX}"),
        ),
        (
            "[shutdown]\ndeadline_ms = -1\n",
            format!("shutdown.deadline_ms (weir.toml line 2): -1 is not what is expected; {TIME_FIX}"),
        ),
        (
            "[grpc]\nmax_message_bytes = \"1000\"\n",
            "grpc.max_message_bytes (weir.toml line 2): 1000B is out of range; give at least 1KiB".to_owned(),
        ),
        (
            "[grpc]\nmax_connections = \"5\"\n",
            "grpc.max_connections (weir.toml line 2): \"5\" is not what is expected; give a whole number from 1 on, without quotes".to_owned(),
        ),
        (
            "[data]\ndir = \"\"\n",
            "data.dir (weir.toml line 2): it is empty; name a folder".to_owned(),
        ),
        (
            "[admin]\nlisten = \"127.0.0.1:9090\"\n",
            "grpc.listen (defaults): 127.0.0.1:9090 is the same as admin.listen; give each its own port".to_owned(),
        ),
    ] {
        assert_eq!(error_of(file, &[]), expected, "{file}");
    }
}

#[test]
fn errors_of_the_environment() {
    for (name, value, expected) in [
        (
            "WEIR__STREAMNG__X",
            "1",
            format!("streamng (environment variable WEIR__STREAMNG__X): there is no such setting; remove it; known at the top level: {SECTIONS}"),
        ),
        (
            "WEIR__ADMIN__LISTE",
            "1",
            format!("admin.liste (environment variable WEIR__ADMIN__LISTE): there is no such setting; did you mean `listen`? known in [admin]: {ADMIN_KEYS}"),
        ),
        (
            "WEIR__SHOP__COUNT",
            "many",
            "shop.count (environment variable WEIR__SHOP__COUNT): \"many\" is not what is expected; give a whole number from 0 on, without quotes".to_owned(),
        ),
        (
            "WEIR__SHOP__PORTS",
            "1,x",
            "shop.ports[1] (environment variable WEIR__SHOP__PORTS): \"x\" is not what is expected; give a whole number from 0 to 65535, without quotes".to_owned(),
        ),
        (
            "WEIR__SHOP",
            "x",
            "shop (environment variable WEIR__SHOP): \"x\" is not what is expected; give a section with keys, not one value".to_owned(),
        ),
        (
            "WEIR__SHOP__LISTEN",
            "localhost",
            format!("shop.listen (environment variable WEIR__SHOP__LISTEN): \"localhost\" has no port; {LISTEN_FIX}"),
        ),
        (
            "WEIR__",
            "x",
            "environment variable WEIR__: not the name of a setting; write WEIR__SECTION__KEY with two underscores between section and key".to_owned(),
        ),
        (
            "WEIR__SHOP__PASSWORD",
            "",
            "shop.password (environment variable WEIR__SHOP__PASSWORD): the secret is empty; write a text in double quotes, or { file = \"path\" }".to_owned(),
        ),
    ] {
        assert_eq!(error_of("", &[(name, value)]), expected, "{name}");
    }
}

#[test]
fn two_variables_that_contradict_each_other_are_named() {
    let found = error_of("", &[("WEIR__SHOP__PASSWORD", "a"), ("WEIR__SHOP__PASSWORD__FILE", "/b")]);
    assert!(
        found.contains(
            "shop.password (environment variable WEIR__SHOP__PASSWORD): WEIR__SHOP__PASSWORD__FILE sets a part"
        ),
        "{found}"
    );
    let found = error_of("", &[("WEIR__SHOP__COUNT", "1"), ("WEIR__SHOP__count", "2")]);
    assert!(found.contains("WEIR__SHOP__COUNT sets the same key; unset one of them"), "{found}");
}

#[test]
fn what_nothing_sets_is_told_with_both_ways_to_set_it() {
    let without = OWN.replace("count = 10\n", "");
    let error = load::<All>(&[DEFAULTS, &without], None, []).unwrap_err().to_string();
    assert_eq!(error, "shop.count: it is not set; set `count` in [shop], or WEIR__SHOP__COUNT");
    let error = load::<All>(&[DEFAULTS], None, []).unwrap_err().to_string();
    assert_eq!(error, "shop: it is not set; add the section [shop]");
}

#[test]
fn a_file_that_is_not_there_or_is_no_toml_is_named() {
    let error = load::<All>(&[DEFAULTS, OWN], Some(Path::new("/nowhere/weir.toml")), []).unwrap_err().to_string();
    assert!(error.starts_with("/nowhere/weir.toml: cannot read the file: No such file"), "{error}");

    let found = error_of("[shop]\npassword = \"hunter2\nfast = true\n", &[]);
    assert!(found.starts_with("weir.toml line 2: "), "{found}");
    assert!(!found.contains("hunter2"), "the line may hold a secret: {found}");
}

#[test]
fn secrets_are_read_and_never_shown() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("token");
    fs::write(&path, "hunter2\n").unwrap();
    let file = format!("[shop]\npassword = \"hunter1\"\ntoken = {{ file = {path:?} }}\n");
    let all = load_with(&file, &[]).unwrap();
    assert_eq!(all.shop.password.expose(), "hunter1");
    assert_eq!(all.shop.token.as_ref().unwrap().expose(), "hunter2", "without the line break");

    for shown in [print(&all), format!("{all:?}"), format!("{all:#?}"), serde_json::to_string(&all).unwrap()] {
        assert!(!shown.contains("hunter"), "{shown}");
        assert!(shown.contains("<hidden>"), "{shown}");
    }
    let by_variable = load_with("", &[("WEIR__SHOP__PASSWORD__FILE", path.to_str().unwrap())]).unwrap();
    assert_eq!(by_variable.shop.password.expose(), "hunter2");
}

#[test]
fn errors_about_secrets_do_not_show_them() {
    for value in ["12345", "true", "12.345", "[12345]", "{ value = \"12345\" }", "{ file = 12345 }"] {
        let found = error_of(&format!("[shop]\npassword = {value}\n"), &[]);
        assert!(found.starts_with("shop.password"), "{found}");
        if !value.contains("file") {
            assert!(!found.contains("12345") && !found.contains("12.345"), "{found}");
            assert!(found.ends_with("{ file = \"path\" }"), "{found}");
        }
    }
    let found = error_of("[shop]\npassword = { file = \"/nowhere/token\" }\n", &[]);
    assert!(found.contains("cannot read the secret's file /nowhere/token: No such file"), "{found}");
    assert!(found.ends_with("; name a file that this process may read"), "{found}");
    for key in ["secrets", "verify_token", "sasl_password"] {
        let error = error_of(&format!("[shop.limits]\n{key} = \"planted\"\n"), &[]);
        assert!(error.contains("not what is expected; give a whole number") && !error.contains("planted"), "{error}");
    }
}

#[test]
fn what_is_printed_can_be_loaded_again() {
    let all = load_with("[shop]\nlimit = 3\n", &[("WEIR__SHOP__BROKERS", "a:1,b:2")]).unwrap();
    let printed = print(&all);
    let again = load_with(&printed, &[]).unwrap();
    assert_eq!(print(&again), printed);
    assert!(printed.contains("limit = 3"), "{printed}");
}

proptest! {
    #[test]
    fn numbers_are_read_as_rust_reads_them(text in "[-+]?[0-9]{1,22}(\\.[0-9])?") {
        let found = load_with("", &[("WEIR__SHOP__SMALL", &text)]).ok().map(|all| all.shop.small);
        prop_assert_eq!(found, text.parse::<u8>().ok());
        let found = load_with("", &[("WEIR__SHOP__LIMIT", &text)]).ok().and_then(|all| all.shop.limit);
        prop_assert_eq!(found, text.parse::<u32>().ok());
    }

    #[test]
    fn no_file_makes_it_panic(text in "([a-z_.\"\\[\\]={} \n]|[0-9]){0,60}") {
        let _ = load_with(&text, &[]);
        let _ = load_with(&format!("[shop]\n{text}"), &[]);
    }

    #[test]
    fn no_variable_makes_it_panic(name in "[A-Z_.\\[\\]0-9-]{0,20}", value in ".{0,20}") {
        let _ = load_with("", &[(&format!("WEIR__{name}"), &value), (&format!("WEIR__SHOP__{name}"), &value)]);
    }
}
