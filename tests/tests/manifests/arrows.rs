//! Who may connect to whom: the network policies as a network plugin reads them, against the arrows of docs/kubernetes.md.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_yaml_ng::Value;

use crate::check::{list, name, of_kind, text};

/// From, to, port. What is not here must not be possible.
const ARROWS: &[(&str, &str, u16)] = &[
    ("public", "streaming", 8080),
    ("operators", "processing", 9090),
    ("operators", "health-check", 8081),
    ("operators", "health-check", 9090),
    ("monitoring", "streaming", 8081),
    ("monitoring", "processing", 8081),
    ("monitoring", "enricher", 8081),
    ("monitoring", "loader", 8081),
    ("monitoring", "health-check", 8081),
    ("health-check", "streaming", 9090),
    ("health-check", "processing", 9090),
    ("health-check", "enricher", 9090),
    ("health-check", "loader", 9090),
    ("enricher", "processing", 9090),
    ("streaming", "kafka", 9093),
    ("processing", "kafka", 9093),
    ("enricher", "kafka", 9093),
    ("loader", "kafka", 9093),
    ("processing", "postgres", 5432),
    ("processing", "valkey", 6379),
    ("enricher", "valkey", 6379),
    ("enricher", "store", 443),
    ("loader", "store", 443),
    ("jobs", "processing", 9090),
    ("jobs", "kafka", 9093),
    ("jobs", "store", 443),
    ("streaming", "collector", 4317),
    ("processing", "collector", 4317),
    ("enricher", "collector", 4317),
    ("loader", "collector", 4317),
    ("health-check", "collector", 4317),
];

/// Ports that somebody could try.
const PORTS: [u16; 11] = [22, 80, 443, 4317, 5432, 6379, 8080, 8081, 9090, 9092, 9093];

/// Somebody in the network.
struct Party {
    name: &'static str,
    /// None: not a pod.
    pod: Option<&'static [(&'static str, &'static str)]>,
    /// Whether it is in the namespace of the policies.
    here: bool,
    namespace: &'static [(&'static str, &'static str)],
    address: Ipv4Addr,
}

const fn service(name: &'static str, labels: &'static [(&'static str, &'static str)]) -> Party {
    Party { name, pod: Some(labels), here: true, namespace: &[], address: Ipv4Addr::new(10, 0, 0, 1) }
}

const fn elsewhere(
    name: &'static str,
    labels: &'static [(&'static str, &'static str)],
    namespace: &'static [(&'static str, &'static str)],
) -> Party {
    Party { name, pod: Some(labels), here: false, namespace, address: Ipv4Addr::new(10, 0, 0, 2) }
}

const fn outside(name: &'static str, address: Ipv4Addr) -> Party {
    Party { name, pod: None, here: false, namespace: &[], address }
}

const NAME: &str = "app.kubernetes.io/name";
const OURS: (&str, &str) = ("app.kubernetes.io/part-of", "weir");

const PARTIES: &[Party] = &[
    service("streaming", &[(NAME, "streaming"), OURS]),
    service("processing", &[(NAME, "processing"), OURS]),
    service("enricher", &[(NAME, "enricher"), OURS]),
    service("loader", &[(NAME, "loader"), OURS]),
    service("health-check", &[(NAME, "health-check"), OURS]),
    service("jobs", &[(NAME, "jobs"), OURS]),
    service("valkey", &[(NAME, "valkey"), OURS]),
    service("kafka", &[("strimzi.io/name", "kafka-kafka")]),
    service("postgres", &[("cnpg.io/cluster", "postgres")]),
    service("collector", &[("app.kubernetes.io/component", "opentelemetry-collector")]),
    service("stranger", &[(NAME, "stranger")]),
    elsewhere("public", &[], &[("weir.example.com/ingress-public", "true")]),
    elsewhere("operators", &[], &[("weir.example.com/ingress-operators", "true")]),
    elsewhere("monitoring", &[], &[("weir.example.com/monitoring", "true")]),
    elsewhere("another namespace", &[(NAME, "processing"), OURS], &[]),
    outside("store", Ipv4Addr::new(52, 216, 1, 1)),
    outside("a private network", Ipv4Addr::new(10, 9, 8, 7)),
    outside("the metadata of the node", Ipv4Addr::new(169, 254, 169, 254)),
];

/// Parties that the policies here say something of: nobody is asked about the others among themselves.
fn is_guarded(party: &Party) -> bool {
    party.here && party.pod.is_some_and(|labels| labels.contains(&OURS))
}

pub(crate) fn check(documents: &[Value], problems: &mut Vec<String>) {
    if of_kind(documents, "NetworkPolicy").all(|policy| name(policy) != "default-deny") {
        return;
    }
    let wanted: BTreeSet<_> = ARROWS.iter().copied().collect();
    for from in PARTIES {
        for to in PARTIES.iter().filter(|to| !std::ptr::eq(*to, from) && (is_guarded(from) || is_guarded(to))) {
            for port in PORTS {
                let (may, should) =
                    (allows(documents, from, to, ("TCP", port)), wanted.contains(&(from.name, to.name, port)));
                if may != should {
                    let what = if may { "is let through, and no arrow" } else { "is an arrow, and not let through" };
                    problems.push(format!("NetworkPolicy: {} to {} on port {port} {what}", from.name, to.name));
                }
            }
        }
    }
    let dns = elsewhere("dns", &[("k8s-app", "kube-dns")], &[("kubernetes.io/metadata.name", "kube-system")]);
    for from in PARTIES.iter().filter(|party| is_guarded(party)) {
        if !allows(documents, from, &dns, ("UDP", 53)) {
            problems.push(format!("NetworkPolicy: {} cannot resolve names", from.name));
        }
    }
}

/// Whether a connection is let out, and in.
fn allows(documents: &[Value], from: &Party, to: &Party, port: (&str, u16)) -> bool {
    let lets = |at: &Party, other: &Party, direction: &str| {
        let Some(labels) = at.pod.filter(|_| at.here) else { return true };
        let mut policies = of_kind(documents, "NetworkPolicy")
            .filter(|policy| selects(&policy["spec"]["podSelector"], labels))
            .filter(|policy| list(&policy["spec"]["policyTypes"]).any(|one| one == direction))
            .peekable();
        // Whom no policy selects, nothing is denied.
        policies.peek().is_none() || policies.any(|policy| passes(policy, other, direction, port))
    };
    lets(from, to, "Egress") && lets(to, from, "Ingress")
}

fn passes(policy: &Value, other: &Party, direction: &str, (protocol, port): (&str, u16)) -> bool {
    let (rules, peers) = if direction == "Egress" { ("egress", "to") } else { ("ingress", "from") };
    list(&policy["spec"][rules]).any(|rule| {
        let mut ports = list(&rule["ports"]).filter(|one| one["protocol"].as_str().unwrap_or("TCP") == protocol);
        let ports = ports.any(|one| match one["port"].as_u64() {
            Some(number) => number == u64::from(port),
            None => named(&text(&one["port"])) == port,
        });
        (rule["ports"].is_null() || ports) && (rule[peers].is_null() || list(&rule[peers]).any(|peer| is(peer, other)))
    })
}

/// Named ports are those of the containers of the services.
fn named(port: &str) -> u16 {
    match port {
        "http" => 8080,
        "admin" => 8081,
        "grpc" => 9090,
        other => panic!("a policy names port {other:?}, which no container of a service has"),
    }
}

fn is(peer: &Value, party: &Party) -> bool {
    if !peer["ipBlock"].is_null() {
        let inside = |block: &Value| contains(&text(block), party.address);
        return inside(&peer["ipBlock"]["cidr"]) && !list(&peer["ipBlock"]["except"]).any(inside);
    }
    let Some(labels) = party.pod else { return false };
    let namespace = match &peer["namespaceSelector"] {
        Value::Null => party.here,
        selector => selects(selector, party.namespace),
    };
    namespace && (peer["podSelector"].is_null() || selects(&peer["podSelector"], labels))
}

/// Only `matchLabels`: the policies here use nothing else, and a test that looked past the rest would lie.
fn selects(selector: &Value, labels: &[(&str, &str)]) -> bool {
    assert!(selector["matchExpressions"].is_null(), "matchExpressions of a policy are not understood here");
    let wanted = selector["matchLabels"].as_mapping().into_iter().flatten();
    wanted.into_iter().all(|(key, value)| labels.contains(&(&*text(key), &*text(value))))
}

fn contains(block: &str, address: Ipv4Addr) -> bool {
    let (network, bits) = block.split_once('/').unwrap();
    let (network, bits): (Ipv4Addr, u32) = (network.parse().unwrap(), bits.parse().unwrap());
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    u32::from(network) & mask == u32::from(address) & mask
}

#[test]
fn blocks_contain_what_is_in_them() {
    let table = [
        ("0.0.0.0/0", [52, 1, 2, 3], true),
        ("10.0.0.0/8", [10, 255, 0, 1], true),
        ("10.0.0.0/8", [11, 0, 0, 1], false),
        ("192.168.1.7/32", [192, 168, 1, 7], true),
        ("192.168.1.7/32", [192, 168, 1, 8], false),
    ];
    for (block, [a, b, c, d], inside) in table {
        assert_eq!(contains(block, Ipv4Addr::new(a, b, c, d)), inside, "{block}");
    }
}
