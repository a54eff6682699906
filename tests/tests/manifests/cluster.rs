//! What only a real cluster shows, and no schema: each of these was applied without a word, and did harm later.

use serde_yaml_ng::Value;

use crate::check::{list, name, of_kind, template, text, variables, workloads};

pub(crate) fn check(documents: &[Value], problems: &mut Vec<String>) {
    immutable(documents, problems);
    operated(documents, problems);
    namespaces(documents, problems);
    sized(documents, problems);
    for workload in workloads(documents) {
        let containers = list(&template(workload)["spec"]["containers"]);
        containers.for_each(|container| unprotected(&name(workload), &container["args"], problems));
    }
}

/// Where there are services there is a pod in which operators run `weir`: a plain `kubectl run` is refused in this namespace,
/// and nobody outside reaches Kafka.
fn operated(documents: &[Value], problems: &mut Vec<String>) {
    if of_kind(documents, "Deployment").all(|deployment| name(deployment) != "tools") {
        problems.push("Deployment tools: is not there, so nobody can run weir in the cluster".to_owned());
    }
    for user in of_kind(documents, "KafkaUser").filter(|user| name(user) == "weir-tools") {
        let operations = list(&user["spec"]["authorization"]["acls"]).flat_map(|acl| list(&acl["operations"]));
        let more: Vec<_> = operations
            .map(text)
            .filter(|one| !["Read", "Describe", "DescribeConfigs"].contains(&one.as_str()))
            .collect();
        if !more.is_empty() {
            problems.push(format!("KafkaUser weir-tools: looks and sets offsets, and may {more:?} too"));
        }
    }
}

/// It waits, with settings that `weir` takes, and asks processing where a command speaks gRPC.
pub(crate) fn tools(pod: &Value, documents: &[Value], problems: &mut Vec<String>) {
    for container in list(&pod["containers"]) {
        let arguments: Vec<_> = list(&container["args"]).map(text).collect();
        let is_taken = weir::cmd::check_arguments(arguments.iter().map(String::as_str)).is_ok();
        if !is_taken || arguments != ["wait"] {
            problems.push(format!("Deployment tools: must run `weir wait`, and not {arguments:?}"));
        }
    }
    let variables = variables(pod, documents);
    let asked = variables.iter().find(|(key, _)| key == "WEIR__GRPC__LISTEN").map_or("", |(_, value)| value.as_str());
    let is_there = asked.split_once(':').is_some_and(|(host, port)| {
        of_kind(documents, "Service").filter(|service| name(service) == host).any(|service| {
            list(&service["spec"]["ports"]).any(|one| one["port"].as_u64().is_some_and(|one| one.to_string() == port))
        })
    });
    if !is_there {
        problems.push(format!("Deployment tools: no Service is at {asked:?}, where its commands ask"));
    }
    if let Err(error) = crate::fixtures::load("weir", variables, None) {
        problems.push(format!("Deployment tools: its settings are refused: {error}"));
    }
}

/// Whether Valkey refuses other machines depends on how its image was built: the arguments say it.
pub(crate) fn unprotected(what: &str, arguments: &Value, problems: &mut Vec<String>) {
    let said: Vec<String> = list(arguments).map(text).collect();
    let is_said = said.windows(2).any(|two| two == ["--protected-mode", "no"]);
    if said.first().is_some_and(|program| program == "valkey-server") && !is_said {
        problems.push(format!("{what}: without --protected-mode no, some images refuse every other pod"));
    }
}

/// Kustomize gives a map whose content is in its name such an ending, of these letters.
fn is_named_by_content(name: &str) -> bool {
    const LETTERS: &str = "2456789bcdfghkmt";
    let ending = name.rsplit_once('-').map_or("", |(_, ending)| ending);
    ending.len() == 10 && ending.chars().all(|letter| LETTERS.contains(letter))
}

/// Whoever edits settings in place changes them under pods that do not read them again. An overlay or a component that
/// merges into a map loses what the base said of it.
fn immutable(documents: &[Value], problems: &mut Vec<String>) {
    for map in of_kind(documents, "ConfigMap") {
        let (name, is_immutable) = (name(map), map["immutable"] == true);
        if is_named_by_content(&name) && !is_immutable {
            problems.push(format!("ConfigMap {name}: immutable must be true, also where it is merged"));
        }
        if !is_named_by_content(&name) && is_immutable {
            problems.push(format!("ConfigMap {name}: keeps its name, so its next version could not be applied"));
        }
    }
}

/// What is enforced stays as it was tried, whatever the cluster is raised to; what a newer version would refuse is told.
fn namespaces(documents: &[Value], problems: &mut Vec<String>) {
    for namespace in of_kind(documents, "Namespace") {
        let said = |label: &str| text(&namespace["metadata"]["labels"][format!("pod-security.kubernetes.io/{label}")]);
        let is_pinned = said("enforce-version").strip_prefix("v1.").is_some_and(|minor| minor.parse::<u8>().is_ok());
        let is_told = ["warn-version", "audit-version"].iter().all(|label| said(label) == "latest");
        if ["enforce", "warn", "audit"].iter().any(|label| said(label) != "restricted") {
            problems.push(format!("Namespace {}: enforce, warn and audit must be restricted", name(namespace)));
        }
        if !is_pinned || !is_told {
            problems.push(format!(
                "Namespace {}: enforce-version must be one version, and those of warn and audit latest",
                name(namespace)
            ));
        }
    }
}

/// A quota on requests or on memory refuses pods that do not say them: those that operators make for us too.
fn sized(documents: &[Value], problems: &mut Vec<String>) {
    let pods: [(&str, &[&str]); 4] = [
        ("Kafka", &["spec.entityOperator.topicOperator", "spec.entityOperator.userOperator"]),
        ("KafkaNodePool", &["spec"]),
        ("Cluster", &["spec"]),
        ("OpenTelemetryCollector", &["spec"]),
    ];
    for (kind, places) in pods {
        for document in of_kind(documents, kind) {
            for place in places {
                let resources = &place.split('.').fold(document, |at, key| &at[key])["resources"];
                let missing = [("requests", "cpu"), ("requests", "memory"), ("limits", "memory")];
                for (what, of) in missing.iter().filter(|(what, of)| resources[*what][*of].is_null()) {
                    problems.push(format!("{kind} {}: {place}.resources.{what}.{of} is missing", name(document)));
                }
            }
        }
    }
}

#[test]
fn a_name_tells_whether_the_content_is_in_it() {
    let table =
        [("weir-bt9h8m2mt4", true), ("weir-dashboard", false), ("weir", false), ("weir-enricher-t548mh8c5b", true)];
    for (name, is) in table {
        assert_eq!(is_named_by_content(name), is, "{name}");
    }
}
