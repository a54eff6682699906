//! Who may connect to whom: the network policies as a network plugin reads them, against the arrows of docs/kubernetes.md.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use common::catalogue::{Answer, Description, Need};
use serde_yaml_ng::Value;
use weir::catalogue;

use crate::check::{list, name, of_kind, template, text, workloads};

/// From, to, port. What is not here must not be possible.
type Arrow = (&'static str, &'static str, u16);

/// What follows from what the services say of themselves.
fn arrows() -> BTreeSet<Arrow> {
    let all: Vec<Description> = catalogue::descriptions().collect();
    let mut arrows = beside(&catalogue::jobs());
    // Operators' commands ask what the jobs ask, and health-check.
    arrows.extend(beside(&Description { name: "tools", ..catalogue::jobs() }));
    arrows.insert(("tools", "health-check", 9090));
    for one in &all {
        arrows.extend(beside(one));
        arrows.insert(("monitoring", one.name, 8081));
        arrows.insert((one.name, "collector", 4317));
        for answer in one.runs.answers {
            arrows.insert(match answer {
                Answer::Public { .. } => ("public", one.name, 8080),
                Answer::Grpc(_) => ("operators", one.name, 9090),
                Answer::Pages => ("operators", one.name, 8081),
            });
        }
        if one.runs.needs.contains(&Need::Targets) {
            arrows
                .extend(all.iter().filter(|other| !other.topics.is_empty()).map(|other| (one.name, other.name, 9090)));
        }
    }
    arrows
}

/// To what is not a service of ours, and to those that it asks.
fn beside(one: &Description) -> BTreeSet<Arrow> {
    let needs = one.runs.needs.iter().filter_map(|need| match need {
        Need::Lake => Some(("store", 443)),
        Need::Claims => Some(("valkey", 6379)),
        Need::Database(_) => Some(("postgres", 5432)),
        Need::SealingKey | Need::Targets => None,
    });
    let kafka = (!one.topics.is_empty()).then_some(("kafka", 9093));
    let dials = one.runs.dials.iter().map(|dial| (dial.service, 9090));
    needs.chain(kafka).chain(dials).map(|(to, port)| (one.name, to, port)).collect()
}

/// Ports that somebody could try.
const PORTS: [u16; 11] = [22, 80, 443, 4317, 5432, 6379, 8080, 8081, 9090, 9092, 9093];

type Labels = Vec<(String, String)>;

/// Somebody in the network.
struct Party {
    name: &'static str,
    /// None: not a pod.
    pod: Option<Labels>,
    /// Whether it is in the namespace of the policies.
    here: bool,
    namespace: Labels,
    address: Ipv4Addr,
}

fn labels(labels: &[(&str, &str)]) -> Labels {
    labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn pod(name: &'static str, pod: Labels) -> Party {
    Party { name, pod: Some(pod), here: true, namespace: Vec::new(), address: Ipv4Addr::new(10, 0, 0, 1) }
}

fn elsewhere(name: &'static str, pod: Labels, namespace: &[(&str, &str)]) -> Party {
    let address = Ipv4Addr::new(10, 0, 0, 2);
    Party { name, pod: Some(pod), here: false, namespace: labels(namespace), address }
}

fn outside(name: &'static str, address: [u8; 4]) -> Party {
    Party { name, pod: None, here: false, namespace: Vec::new(), address: address.into() }
}

const NAME: &str = "app.kubernetes.io/name";
const OURS: (&str, &str) = ("app.kubernetes.io/part-of", "weir");

/// Those whose pods are ours with the labels that their pods have, and everybody else.
fn parties(documents: &[Value]) -> Vec<Party> {
    let named = |name: &str| {
        let mut pods = workloads(documents).map(|one| &template(one)["metadata"]["labels"]);
        let pod = pods.find(|labels| labels[NAME] == name).and_then(Value::as_mapping);
        pod.into_iter().flatten().map(|(key, value)| (text(key), text(value))).collect::<Labels>()
    };
    let services = catalogue::descriptions().map(|one| one.name).chain(["jobs", "tools", "valkey"]);
    let mut parties: Vec<Party> = services.map(|name| pod(name, named(name))).collect();
    let processing = named("processing");
    parties.extend([
        pod("kafka", labels(&[("strimzi.io/name", "kafka-kafka")])),
        pod("postgres", labels(&[("cnpg.io/cluster", "postgres")])),
        pod("collector", labels(&[("app.kubernetes.io/component", "opentelemetry-collector")])),
        pod("stranger", labels(&[(NAME, "stranger"), OURS])),
        elsewhere("public", Vec::new(), &[("weir.example.com/ingress-public", "true")]),
        elsewhere("operators", Vec::new(), &[("weir.example.com/ingress-operators", "true")]),
        elsewhere("monitoring", Vec::new(), &[("weir.example.com/monitoring", "true")]),
        elsewhere("another namespace", processing, &[]),
        outside("store", [52, 216, 1, 1]),
        outside("a private network", [10, 9, 8, 7]),
        outside("the metadata of the node", [169, 254, 169, 254]),
    ]);
    parties
}

/// Parties that the policies here say something of: nobody is asked about the others among themselves.
fn is_guarded(party: &Party) -> bool {
    let (key, value) = OURS;
    party.here && party.pod.as_ref().is_some_and(|labels| labels.iter().any(|(k, v)| k == key && v == value))
}

pub(crate) fn check(documents: &[Value], problems: &mut Vec<String>) {
    if of_kind(documents, "NetworkPolicy").all(|policy| name(policy) != "default-deny") {
        return;
    }
    let (wanted, parties) = (arrows(), parties(documents));
    for from in &parties {
        for to in parties.iter().filter(|to| !std::ptr::eq(*to, from) && (is_guarded(from) || is_guarded(to))) {
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
    let dns = elsewhere("dns", labels(&[("k8s-app", "kube-dns")]), &[("kubernetes.io/metadata.name", "kube-system")]);
    for from in parties.iter().filter(|party| is_guarded(party)) {
        if !allows(documents, from, &dns, ("UDP", 53)) {
            problems.push(format!("NetworkPolicy: {} cannot resolve names", from.name));
        }
    }
}

/// Whether a connection is let out, and in.
fn allows(documents: &[Value], from: &Party, to: &Party, port: (&str, u16)) -> bool {
    let lets = |at: &Party, other: &Party, direction: &str| {
        let Some(labels) = at.pod.as_ref().filter(|_| at.here) else { return true };
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
    let Some(labels) = &party.pod else { return false };
    let namespace = match &peer["namespaceSelector"] {
        Value::Null => party.here,
        selector => selects(selector, &party.namespace),
    };
    namespace && (peer["podSelector"].is_null() || selects(&peer["podSelector"], labels))
}

/// Only `matchLabels`: the policies here use nothing else, and a test that looked past the rest would lie.
fn selects(selector: &Value, labels: &[(String, String)]) -> bool {
    assert!(selector["matchExpressions"].is_null(), "matchExpressions of a policy are not understood here");
    let wanted = selector["matchLabels"].as_mapping().into_iter().flatten();
    wanted.into_iter().all(|(key, value)| labels.contains(&(text(key), text(value))))
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
