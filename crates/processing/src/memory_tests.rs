//! What deliveries take in memory, measured: each is read in a process of its own.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use bus::{Coordinates, Headers};
use common::raw::v1::Delivery;
use common::registrations::Registrations;
use prost::Message as _;
use prost_types::Timestamp;

use super::*;
use crate::parse::{Input, Item, parse_within};

const CHILD: &str = "weight::memory::one_delivery_is_read";
/// What a process takes for itself, whatever it reads.
const ITSELF: u64 = 4 << 20;

fn commits(commit: &str, bytes: usize) -> String {
    list(r#"{"ref":"r","repository":{"id":1},"commits":["#, commit, "]}", bytes)
}

fn list(before: &str, item: &str, after: &str, bytes: usize) -> String {
    let count = bytes / (item.len() + 1);
    format!("{before}{}{item}{after}", format!("{item},").repeat(count))
}

/// A member that makes an object this long.
fn padded(object: &str, bytes: usize) -> String {
    let pad = "x".repeat(bytes.saturating_sub(object.len() + 7));
    object.replace('}', &format!(r#","p":"{pad}"}}"#)).replace("{,", "{")
}

/// Messages of WhatsApp in one change.
fn bundle(item: &str, bytes: usize) -> String {
    let before = r#"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{"messaging_product":"whatsapp","metadata":{"display_phone_number":"4520000000","phone_number_id":"3091"},"contacts":[{"wa_id":"4520000001","profile":{"name":"Ilse Brandt"}}],"messages":["#;
    list(before, item, "]}}]}]}", bytes)
}

/// Bodies whose values take most of what there is in them: the source, the name of a sample with its headers, the body.
fn body(shape: &str) -> (&'static str, &'static str, String) {
    const MIB: usize = 1 << 20;
    match shape {
        "tiny objects" => ("github", "push", commits(r#"{"a":1}"#, 14 * MIB)),
        "empty objects" => ("github", "push", commits("{}", 14 * MIB)),
        "numbers" => ("github", "push", commits("1", 14 * MIB)),
        "unknown" => ("github", "push", list(r#"{"x":["#, r#"{"a":1}"#, "]}", 14 * MIB)),
        "another kind" => ("github", "unheard_of", list(r#"{"x":["#, "[]", "]}", 14 * MIB)),
        "a batch" => ("meta", "", list(r#"{"object":"page","entry":[{"id":"1","changes":["#, "1", "]}]}", MIB)),
        "no json" => ("github", "push", "{,".repeat(7 * MIB)),
        // As dense as may just pass.
        "dense objects" => ("github", "push", commits(&padded(r#"{"a":1}"#, 88), 14 * MIB)),
        "dense known objects" => ("github", "push", commits(&padded(r#"{"author":{"name":"a"}}"#, 156), 14 * MIB)),
        "dense large objects" => {
            let item = padded("{}", 77);
            ("github", "workflow_run", list(r#"{"workflow_run":{"pull_requests":["#, &item, "]}}", 14 * MIB))
        }
        "dense comments" => (
            "github",
            "pull_request_review_thread",
            list(r#"{"thread":{"comments":["#, &padded("{}", 77), "]}}", 14 * MIB),
        ),
        "dense reviewers" => {
            let item = padded(r#"{"reviewer":{}}"#, 154);
            ("github", "deployment_review", list(r#"{"workflow_run":{},"reviewers":["#, &item, "]}", 14 * MIB))
        }
        // Some of them become an activity each.
        "dense pages" => {
            ("github", "gollum", list(r#"{"repository":{"id":1},"pages":["#, &padded("{}", 77), "]}", 14 * MIB))
        }
        "dense properties" => {
            let item = padded(r#"{"value":"gold"}"#, 90);
            let before = r#"{"repository":{"id":1},"new_property_values":["#;
            ("github", "custom_property_values", list(before, &item, "]}", 14 * MIB))
        }
        "dense texts" => {
            ("github", "push", list(r#"{"ref":"r","commits":[{"added":["#, r#""123456789""#, "]}]}", 14 * MIB))
        }
        "dense numbers" => ("standard_webhooks", "", list("[", "12345678901", "]", 14 * MIB)),
        "dense members" => {
            let members: Vec<_> = (0..1_000_000).map(|n| format!(r#""{n:07}":1"#)).collect();
            ("github", "push", format!("{{{}}}", members.join(",")))
        }
        "dense batch" => {
            let item = padded(r#"{"field":"f","value":{"a":1}}"#, 360);
            ("meta", "", list(r#"{"object":"page","entry":[{"id":"1","changes":["#, &item, "]}]}", 6 * MIB))
        }
        "a bundle" => ("meta", "", bundle("1", MIB)),
        "dense bundle" => ("meta", "", bundle(&padded(r#"{"id":"m","text":{"body":"a"}}"#, 360), 6 * MIB)),
        "dense flat bundle" => {
            let item = padded(r#"{"id":"m","text":{"body":"a"}}"#, 360);
            let before =
                r#"{"object":"whatsapp_business_account","entry":[{"id":"1","field":"messages","value":{"messages":["#;
            ("meta", "", list(before, &item, "]}}]}", 6 * MIB))
        }
        // As many as Meta puts into one delivery.
        "real messages" => {
            let item = r#"{"from":"4520000001","id":"wamid.HBgLNDUyMDAwMDAwMRUCABIYFDNBOTk5OTk5OTk5OTk5OTk5OTk5AA==","timestamp":"1717420800","type":"text","text":{"body":"Two loaves of rye, please"}}"#;
            ("meta", "", bundle(item, MIB / 5))
        }
        "real commits" => {
            let id = "0123456789abcdef0123456789abcdef01234567";
            let person = r#"{"name":"Ada","email":"ada@example.com","username":"ada"}"#;
            let commit = format!(
                r#"{{"id":"{id}","tree_id":"{id}","distinct":true,"message":"Words","timestamp":"2026-01-31T10:00:00Z","url":"https://github.com/ada/engine/commit/{id}","author":{person},"committer":{person},"added":[],"removed":[],"modified":["src/main.rs"]}}"#
            );
            ("github", "push", commits(&commit, 24 * MIB))
        }
        other => panic!("no shape {other:?}"),
    }
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    line.split_ascii_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// Run by the other tests, with a shape as its input: says what came of it, the size of the body, and the memory it took.
#[test]
#[ignore = "a part of the tests of this file, in a process of its own"]
fn one_delivery_is_read() {
    let mut shape = String::new();
    std::io::stdin().read_to_string(&mut shape).unwrap();
    if shape.is_empty() {
        return;
    }
    let (shape, limit) = shape
        .split_once('/')
        .map_or((&*shape, Limit::default()), |(shape, _)| (shape, Limit { factor: 1_000_000, ..Limit::default() }));
    let (source, event, body) = body(shape);
    let samples = sources::by_name(source).unwrap().descriptor().sample_headers;
    let header = |(name, value): (&str, String)| common::raw::v1::Header { name: name.into(), value };
    let delivery = Delivery {
        delivery_id: "d".into(),
        source: source.into(),
        endpoint: "app".into(),
        tenant: "acme".into(),
        received_at: Some(Timestamp { seconds: 1_700_000_000, nanos: 0 }),
        headers: samples(event).into_iter().map(header).collect(),
        body: body.into(),
        ..Delivery::default()
    };
    let size = delivery.body.len() as u64;
    let payload = Bytes::from(delivery.encode_to_vec());
    drop(delivery);
    // From here on the most that is taken is measured, of what is taken beside the record itself.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let before = status("VmRSS:");
    let weight = of(Some(&payload), limit);
    let at: Coordinates = "log.1/raw.github/0/7".parse().unwrap();
    let headers = Headers::default();
    let input = Input { at: &at, payload: Some(&payload), headers: &headers, traceparent: None };
    let outcome = parse_within(input, &Registrations::default(), weight.too_much.as_deref());
    let took = status("VmHWM:").saturating_sub(before);
    let came = match outcome.items.as_slice() {
        [Item::Refused(refused)] => refused.reason,
        _ => "events",
    };
    let mut out = std::io::stdout();
    writeln!(out, "came={came} size={size} took={took} weight={}", weight.bytes).unwrap();
}

struct Took {
    came: String,
    size: u64,
    took: u64,
    weight: u64,
}

fn read(shape: &str) -> Took {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", CHILD, "--ignored", "--nocapture", "--test-threads", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(shape.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let line = text.lines().find_map(|line| line.find("came=").map(|at| &line[at..]));
    let line = line.unwrap_or_else(|| panic!("{shape}: {text}"));
    let value = |name: &str| line.split(' ').find_map(|part| part.strip_prefix(name)).unwrap().to_owned();
    let number = |name: &str| value(name).parse().unwrap();
    Took { came: value("came="), size: number("size="), took: number("took="), weight: number("weight=") }
}

fn reads(shape: &str, came: &str) {
    let took = read(shape);
    let times = took.took as f64 / took.size as f64;
    let mut err = std::io::stderr();
    let _ =
        writeln!(err, "{shape}: {} bytes took {} ({times:.1} times), weighed as {}", took.size, took.took, took.weight);
    assert_eq!(took.came, came, "{shape}");
    assert!(took.took <= 20 * took.size + ITSELF, "{shape}: {} bytes took {}", took.size, took.took);
    assert!(took.took <= took.weight + ITSELF, "{shape}: weighed as {}, and took {}", took.weight, took.took);
}

#[test]
fn what_would_take_too_much_is_refused_for_little() {
    for shape in
        ["tiny objects", "empty objects", "numbers", "unknown", "another kind", "a batch", "a bundle", "no json"]
    {
        reads(shape, "too_many_values");
    }
}

#[test]
fn what_may_just_pass_takes_no_more_than_it_may() {
    for shape in [
        "dense objects",
        "dense known objects",
        "dense large objects",
        "dense comments",
        "dense reviewers",
        "dense pages",
        "dense properties",
        "dense texts",
        "dense numbers",
        "dense members",
        "dense batch",
        "dense bundle",
        "dense flat bundle",
        "real messages",
        "real commits",
    ] {
        reads(shape, "events");
    }
}
