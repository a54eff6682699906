//! Who may depend on whom, who writes what, what a type may be called, and how long a file may be: rules that decay unless a
//! test holds them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::text::{code, line};

/// What each crate may use of the workspace.
const MAY_USE: &[(&str, &[&str])] = &[
    ("common", &[]),
    ("bus", &["common"]),
    ("service", &["common"]),
    ("sources", &["common"]),
    ("streaming", &["bus", "service", "sources", "common"]),
    // What the stages have in common, and nothing of what they do.
    ("stage", &["bus", "service", "common"]),
    ("database", &[]),
    // Judges secrets by their source. What a raw delivery becomes it asks of its host.
    ("control", &["database", "bus", "service", "sources", "common"]),
    ("processing", &["control", "stage", "bus", "service", "sources", "common"]),
    ("lake", &["common"]),
    ("enricher", &["stage", "bus", "service", "lake", "common"]),
    ("loader", &["stage", "bus", "service", "lake", "common"]),
    // Asks nobody and consumes nothing: it is told.
    ("alerts", &["service", "common"]),
    // Answers when it is asked: no loop, no policy.
    ("platforms", &["service", "common"]),
    ("health-check", &["alerts", "platforms", "bus", "service", "common"]),
    ("simulate", &["service", "common"]),
    // The example, which is a service like any other.
    ("first-service", A_SERVICE_MAY_USE),
    // And every service.
    ("weir", &["alerts", "platforms", "simulate", "control", "lake", "bus", "service", "sources", "common"]),
];

/// What a service may use that is not among them; whoever needs more says so there.
const A_SERVICE_MAY_USE: &[&str] = &["stage", "database", "lake", "bus", "service", "common"];

/// Who alone may use a library directly, so that it can be replaced in one place.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("rdkafka", &["bus"]),
    // Claims, and the errors that several health-checks share.
    ("redis", &["bus", "health-check"]),
    ("fjall", &["bus"]),
    ("config", &["service"]),
    ("opentelemetry-otlp", &["service"]),
    ("metrics-exporter-prometheus", &["service"]),
    ("chacha20poly1305", &["service"]),
    ("sqlx", &["database"]),
    ("deltalake-core", &["loader"]),
];

/// What tests and measures. These may use every crate, and no crate uses them.
const TESTS: &[&str] = &["weir-tests", "weir-bench", "weir-faults", "weir-overload"];

/// What `common` and `sources` must not use: they are pure.
const NOT_PURE: &[&str] = &["tokio", "axum", "hyper", "rdkafka", "sqlx", "redis", "tracing"];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Each package of the workspace with what it depends on outside of its tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut found = BTreeMap::new();
    for package in metadata["packages"].as_array().unwrap() {
        let used = package["dependencies"].as_array().unwrap().iter().filter(|one| one["kind"].is_null());
        let used = used.map(|one| one["name"].as_str().unwrap().to_owned()).collect();
        found.insert(package["name"].as_str().unwrap().to_owned(), used);
    }
    found
}

#[test]
fn crates_use_only_what_the_architecture_allows() {
    let all = dependencies();
    let members: BTreeSet<_> = all.keys().cloned().collect();
    let services: Vec<_> = weir::catalogue::descriptions().map(|description| description.name).collect();
    let mut may_use: BTreeMap<&str, &[&str]> = services.iter().map(|name| (*name, A_SERVICE_MAY_USE)).collect();
    may_use.extend(MAY_USE.iter().copied());
    let known: BTreeSet<_> = may_use.keys().copied().chain(TESTS.iter().copied()).map(str::to_owned).collect();
    let unknown: Vec<_> = members.difference(&known).collect();
    assert!(
        unknown.is_empty(),
        "{unknown:?}: a service has its line in SERVICES (crates/weir/src/catalogue.rs), any other crate in MAY_USE"
    );
    let gone: Vec<_> = known.difference(&members).collect();
    assert!(gone.is_empty(), "{gone:?}: not there any more: take it out of MAY_USE");
    for (name, allowed) in may_use {
        for used in all[name].intersection(&members) {
            let is_told = name == "weir" && services.contains(&used.as_str());
            assert!(is_told || allowed.contains(&used.as_str()), "{name} must not depend on {used}");
        }
    }
    for (library, owners) in ONLY_IN {
        for (name, used) in &all {
            let may = owners.contains(&name.as_str());
            assert!(may || !used.contains(*library), "{name} uses {library}: only {owners:?} may");
        }
        for owner in *owners {
            assert!(all[*owner].contains(*library), "{owner} does not use {library} any more: take it out of ONLY_IN");
        }
    }
    for name in ["common", "sources"] {
        for library in NOT_PURE {
            assert!(!all[name].contains(*library), "{name} is pure and must not use {library}");
        }
    }
}

/// What builds a server or a client, and the stack in which alone it may: what a request goes through is shown there, and
/// what is built elsewhere goes through nothing of it.
const STACKS: &[(&str, &[&str], &str)] = &[
    ("http1::Builder", &["crates/service/src/http.rs"], "HTTP: crates/service/src/layers/http.rs"),
    ("axum::serve", &[], "HTTP: crates/service/src/layers/http.rs"),
    ("http::serve(", &[], "HTTP: a file of layers, as crates/streaming/src/layers.rs"),
    (
        "serve_watched(",
        &["crates/service/src/http.rs", "crates/service/src/layers/admin.rs", "crates/streaming/src/layers.rs"],
        "HTTP: a file of layers, as crates/streaming/src/layers.rs; then name it here",
    ),
    ("axum::middleware", &[], "HTTP: crates/service/src/layers/admin.rs"),
    ("http1::handshake", HTTP_CLIENT, "HTTP client: crates/service/src/layers/http_client.rs"),
    ("Server::builder", GRPC_SERVER, "gRPC server: crates/service/src/layers/grpc_server.rs"),
    ("transport::Server", GRPC_SERVER, "gRPC server: crates/service/src/layers/grpc_server.rs"),
    ("transport::Channel", GRPC_CLIENT, "gRPC client: crates/service/src/layers/grpc_client.rs"),
    ("transport::Endpoint", &[], "gRPC client: crates/service/src/layers/grpc_client.rs"),
    ("transport::{", GRPC_CLIENT, "gRPC: crates/service/src/layers/"),
    ("connect_with_connector", GRPC_CLIENT, "gRPC client: crates/service/src/layers/grpc_client.rs"),
];
const HTTP_CLIENT: &[&str] = &["crates/service/src/layers/http_client.rs"];
const GRPC_SERVER: &[&str] = &["crates/service/src/layers/grpc_server.rs"];
const GRPC_CLIENT: &[&str] = &["crates/service/src/layers/grpc_client.rs"];

#[test]
fn servers_and_clients_are_built_in_their_stacks() {
    let files: Vec<_> =
        sources().into_iter().map(|file| (named(&file), std::fs::read_to_string(&file).unwrap())).collect();
    let mut wrong = Vec::new();
    for (built, allowed, stack) in STACKS {
        let using = files.iter().filter(|(_, text)| text.contains(built)).map(|(name, _)| name.as_str());
        let using: BTreeSet<_> = using.collect();
        let elsewhere = using.iter().filter(|name| !allowed.contains(*name));
        wrong.extend(elsewhere.map(|name| format!("{name} has `{built}`, outside of the stack of its kind ({stack})")));
        for name in allowed.iter().filter(|name| !using.contains(*name)) {
            wrong.push(format!("{name} has no `{built}` any more: take it out of STACKS"));
        }
    }
    assert_eq!(wrong, [""; 0]);
}

/// Where the text of an error may be asked: adapters to what says no more than a text.
const ASKS_TEXTS: &[&str] = &[
    // Kafka's client has one code for most of what TLS and SASL refuse.
    "crates/bus/src/kafka/refusal.rs",
    // serde_json has no kind for what is nested too deep.
    "crates/sources/src/body.rs",
    // HTTP/2 keeps the text of what ended a connection.
    "crates/service/src/tls/refused.rs",
];

/// A text is for people, and changes: what a program asks is a kind.
#[test]
fn no_decision_hangs_on_the_text_of_an_error() {
    let (mut wrong, mut asking) = (Vec::new(), BTreeSet::new());
    for file in sources() {
        let (name, text) = (named(&file), std::fs::read_to_string(&file).unwrap());
        // A platform's messages and reasons are what it sent, and no errors.
        let texts = if name.starts_with("crates/sources/") { ERRORS } else { TEXTS };
        for asked in asked(&code(&text), texts) {
            if ASKS_TEXTS.contains(&name.as_str()) {
                asking.insert(name.clone());
            } else {
                wrong.push(format!("{name}:{}: ask the kind of the error, not its text", line(&text, asked)));
            }
        }
    }
    let gone = ASKS_TEXTS.iter().filter(|name| !asking.contains(**name));
    wrong.extend(gone.map(|name| format!("{name} asks no text any more: take it out of ASKS_TEXTS")));
    assert_eq!(wrong, [""; 0]);
}

/// What errors are called, and their texts.
const ERRORS: &[&str] = &["error", "err", "cause", "to_string"];
const TEXTS: &[&str] = &["error", "err", "cause", "to_string", "reason", "message", "problem", "said", "found"];

/// What is looked into, of all that is called like these. A text that was given another name before, or that is compared as a
/// whole, is not seen.
fn asked<'a>(words: &[&'a str], texts: &[&str]) -> Vec<&'a str> {
    const ASKS: &[&str] = &["contains", "starts_with", "ends_with", "strip_prefix", "find", "matches"];
    let asks = (0..words.len()).filter(|at| matches!(words[*at..], [".", asks, "(", ..] if ASKS.contains(&asks)));
    let of = asks.filter_map(|at| words[..at].iter().rev().find(|word| !["(", ")"].contains(word)).copied());
    of.filter(|word| texts.contains(word)).collect()
}

#[test]
fn what_asks_a_text_is_seen() {
    let asked_in = |text| asked(&code(text), TEXTS).first().map(|word| line(text, word));
    for text in [
        "if cause.contains(\"ertificate\") {",
        "error.to_string().starts_with(\"no\")",
        "status.message().find('x')",
        "Some(text) if self.problem.ends_with(END) =>",
        "problems[at].found.contains(\"broker\")",
    ] {
        assert_eq!(asked_in(text), Some(1), "{text}");
    }
    assert_eq!(asked_in("a();\nlet it = error // why\n    .to_string()\n    .contains(\"x\");\nb();"), Some(3));
    assert_eq!(asked_in("#[cfg(test)]\nmod tests {\n}\nfn a() { error.to_string().contains(\"x\") }"), Some(4));
    assert!(asked(&code("message.starts_with('/')"), ERRORS).is_empty());
    for text in [
        "reasons.contains(&reason)",
        "text.find(ends)",
        "error.is_locked()",
        "path.starts_with(\"/\")",
        "// error.contains(\"x\")",
        "#[cfg(test)]\nmod tests {\n    fn a() { error.to_string().contains(\"x\") }\n}",
    ] {
        assert_eq!(asked_in(text), None, "{text}");
    }
}

/// The body limit of the gRPC server is set at each service, because only the service knows where a message ends.
#[test]
fn every_grpc_service_limits_its_messages() {
    let mut without = Vec::new();
    let mut services = 0;
    for file in sources() {
        let text = std::fs::read_to_string(&file).unwrap();
        for (at, _) in text.match_indices("Server::new(").filter(|(at, _)| text[..*at].ends_with(char::is_alphanumeric))
        {
            services += 1;
            // On its line or the two after it, and before the next one.
            let rest = text[at + 1..].split("Server::new(").next().unwrap_or_default();
            if !rest.lines().take(3).any(|line| line.contains(".max_decoding_message_size(")) {
                let line = text[..at].lines().count();
                without.push(format!("{}:{line}: add .max_decoding_message_size(…)", named(&file)));
            }
        }
    }
    assert!(services > 5, "{services}");
    assert_eq!(without, [""; 0], "a service that takes messages of any size (setting grpc.max_message_bytes)");
}

/// A file as it is called in the repository.
pub(crate) fn named(file: &Path) -> String {
    file.strip_prefix(root()).unwrap().display().to_string()
}

#[test]
fn every_topic_of_an_event_has_its_own_name() {
    let topics: BTreeSet<_> = common::event::EVENT_TYPES.iter().map(|one| one.topic).collect();
    assert_eq!(topics.len(), common::event::EVENT_TYPES.len());
    for one in common::event::EVENT_TYPES {
        assert!(!one.topic.ends_with(".other"), "{} would be mixed with the kinds that are not known", one.topic);
    }
}

/// From so many crates on, one name for different types misleads.
const MANY_CRATES: usize = 3;

/// Names that each crate may have for a type of its own, and why. They are read with the name of their crate.
const SHARED_NAMES: &[(&str, &str)] = &[
    ("Error", "what can go wrong in a crate, or in a module of it: everybody looks for it under this name"),
    ("Settings", "what a crate reads of the settings: the sections that are its own"),
];

/// The name of the type that a line makes public, for everybody and not for its crate alone.
fn public_type(line: &str) -> Option<&str> {
    let declared = line.trim_start().strip_prefix("pub ")?;
    let name = ["struct ", "enum ", "trait ", "type "].iter().find_map(|kind| declared.strip_prefix(kind))?;
    // A macro names its types elsewhere.
    name.split(|one: char| !one.is_alphanumeric() && one != '_').next().filter(|name| !name.is_empty())
}

#[test]
fn the_name_of_a_public_type_says_what_it_is() {
    let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in sources() {
        let text = std::fs::read_to_string(&file).unwrap();
        let file = named(&file);
        if file.split('/').nth(2) == Some("src") {
            for name in text.lines().filter_map(public_type) {
                files.entry(name.to_owned()).or_default().insert(file.clone());
            }
        }
    }
    assert!(files.len() > 200, "{}", files.len());
    files.retain(|_, files| {
        let crates: BTreeSet<_> = files.iter().map(|file| file.split('/').nth(1)).collect();
        crates.len() >= MANY_CRATES
    });
    let mut wrong = Vec::new();
    for (name, files) in &files {
        if !SHARED_NAMES.iter().any(|(shared, _)| shared == name) {
            wrong.push(format!("{name} is another type in each of {files:?}: give each a name that says what it is"));
        }
    }
    for (name, _) in SHARED_NAMES.iter().filter(|(name, _)| !files.contains_key(*name)) {
        wrong.push(format!("{name} is public in fewer than {MANY_CRATES} crates: take it out of SHARED_NAMES"));
    }
    assert_eq!(wrong, [""; 0]);
}

#[test]
fn only_what_is_public_for_everybody_counts() {
    assert_eq!(public_type("pub struct Draft<'a> {"), Some("Draft"));
    assert_eq!(public_type("    pub enum Error {"), Some("Error"));
    assert_eq!(public_type("pub trait Source: Send {"), Some("Source"));
    assert_eq!(public_type("pub type Key = (String, i32);"), Some("Key"));
    for other in
        ["pub(crate) struct Part {", "struct Part;", "pub fn part() {", "/// pub struct Part", "pub struct $name {"]
    {
        assert_eq!(public_type(other), None, "{other}");
    }
}

/// Files a person can read in one sitting. Tests may be longer: they are tables.
#[test]
fn files_stay_short() {
    const LIMIT: usize = 400;
    let mut long = Vec::new();
    for file in sources() {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        if lines > LIMIT {
            long.push(format!("{}: {lines} lines", file.strip_prefix(root()).unwrap().display()));
        }
    }
    assert_eq!(long, [""; 0], "longer than {LIMIT} lines");
}

#[test]
fn mains_only_load_run_and_report() {
    for file in sources().into_iter().filter(|file| file.ends_with("src/main.rs")) {
        let lines = std::fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= 40, "{} has {lines} lines", file.display());
    }
}

pub(crate) fn sources() -> Vec<PathBuf> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                if name != "tests" && name != "target" {
                    walk(&path, found);
                }
            } else if name.ends_with(".rs") && !name.ends_with("_tests.rs") && name != "tests.rs" {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join("crates"), &mut found);
    // The example, which becomes a service like any other.
    walk(&root().join("docs/first-service"), &mut found);
    assert!(found.len() > 20);
    found
}
