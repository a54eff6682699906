//! The checks over a set of rendered documents. Each returns what is wrong, a line each.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::batch::v1::CronJob;
use k8s_openapi::api::core::v1;
use k8s_openapi::api::networking::v1::{Ingress, NetworkPolicy};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{Role, RoleBinding};
use serde::de::DeserializeOwned;
use serde_yaml_ng::Value;

use crate::{arrows, cluster, gateway, jobs, kafka, scale, schema};

/// Secrets that whoever installs Weir makes: docs/kubernetes.md says how.
const SECRETS_OF_THE_OPERATOR: &[&str] = &["weir-sealing-key", "weir-lake", "weir-postgres"];

pub(crate) fn all(documents: &[Value]) -> Vec<String> {
    let mut problems = Vec::new();
    for document in documents {
        strict(document, &mut problems);
    }
    for workload in workloads(documents) {
        let template = template(workload);
        let pod = &template["spec"];
        let name = name(workload);
        let found = &mut problems;
        if workload["kind"] == "CronJob" {
            jobs::check(&name, workload, documents, found);
        } else {
            let selector = &workload["spec"]["selector"]["matchLabels"];
            selects(selector, &template["metadata"]["labels"], &format!("{name}: selector"), found);
        }
        for constraint in list(&pod["topologySpreadConstraints"]) {
            let labels = &constraint["labelSelector"]["matchLabels"];
            selects(labels, &template["metadata"]["labels"], &format!("{name}: topologySpreadConstraints"), found);
        }
        pod_security(&name, pod, found);
        references(&name, pod, workload, documents, found);
        if workload["kind"] == "Deployment" && name == "tools" {
            cluster::tools(pod, documents, found);
        } else if workload["kind"] == "Deployment" {
            probes_and_grace(&name, pod, found);
            environment(&name, pod, documents, found);
        }
    }
    scale::scaled(documents, &mut problems);
    monitors(documents, &mut problems);
    scale::answering(documents, &mut problems);
    collectors(documents, &mut problems);
    classes(documents, &mut problems);
    gateway::check(documents, &mut problems);
    gateway::idle(documents, &mut problems);
    kafka::check(documents, &mut problems);
    cluster::check(documents, &mut problems);
    arrows::check(documents, &mut problems);
    for service in of_kind(documents, "Service") {
        service_targets(service, documents, &mut problems);
    }
    for ingress in of_kind(documents, "Ingress") {
        ingress_targets(ingress, documents, &mut problems);
    }
    for budget in of_kind(documents, "PodDisruptionBudget") {
        let selector = &budget["spec"]["selector"]["matchLabels"];
        if !workloads(documents).any(|one| is_subset(selector, &template(one)["metadata"]["labels"])) {
            problems.push(format!("PodDisruptionBudget {}: selects nothing", name(budget)));
        }
    }
    problems
}

/// Every field is one that the API knows: a misspelt one is not silently dropped.
pub(crate) fn strict(document: &Value, problems: &mut Vec<String>) {
    fn parse<T: DeserializeOwned>(document: &Value) -> Vec<String> {
        let mut ignored = Vec::new();
        let parsed: Result<T, _> =
            serde_ignored::deserialize(document.clone(), |path| ignored.push(format!("unknown field {path}")));
        if let Err(error) = parsed {
            ignored.push(error.to_string());
        }
        ignored
    }
    let kind = (document["apiVersion"].as_str().unwrap_or_default(), document["kind"].as_str().unwrap_or_default());
    let found = match kind {
        ("apps/v1", "Deployment") => parse::<Deployment>(document),
        ("apps/v1", "StatefulSet") => parse::<StatefulSet>(document),
        ("batch/v1", "CronJob") => parse::<CronJob>(document),
        ("autoscaling/v2", "HorizontalPodAutoscaler") => parse::<HorizontalPodAutoscaler>(document),
        ("networking.k8s.io/v1", "NetworkPolicy") => parse::<NetworkPolicy>(document),
        ("v1", "Secret") => parse::<v1::Secret>(document),
        ("v1", "Service") => parse::<v1::Service>(document),
        ("v1", "ConfigMap") => parse::<v1::ConfigMap>(document),
        ("v1", "LimitRange") => parse::<v1::LimitRange>(document),
        ("v1", "Namespace") => parse::<v1::Namespace>(document),
        ("v1", "ServiceAccount") => parse::<v1::ServiceAccount>(document),
        ("rbac.authorization.k8s.io/v1", "Role") => parse::<Role>(document),
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => parse::<RoleBinding>(document),
        ("networking.k8s.io/v1", "Ingress") => parse::<Ingress>(document),
        ("policy/v1", "PodDisruptionBudget") => parse::<PodDisruptionBudget>(document),
        (version, kind) => schema::problems(version, kind, document),
    };
    problems.extend(found.into_iter().map(|problem| format!("{} {}: {problem}", kind.1, name(document))));
}

fn pod_security(deployment: &str, pod: &Value, problems: &mut Vec<String>) {
    let mut must = |holds: bool, what: &str| {
        if !holds {
            problems.push(format!("{deployment}: {what}"));
        }
    };
    let context = &pod["securityContext"];
    must(context["runAsNonRoot"] == true, "runAsNonRoot must be true");
    must(context["runAsUser"].as_u64().is_some_and(|user| user > 0), "runAsUser must not be 0");
    must(context["seccompProfile"]["type"] == "RuntimeDefault", "seccompProfile must be RuntimeDefault");
    must(pod["automountServiceAccountToken"] == false, "automountServiceAccountToken must be false");
    must(pod["enableServiceLinks"] == false, "enableServiceLinks must be false: its variables collide with ours");
    for container in list(&pod["containers"]) {
        let context = &container["securityContext"];
        must(context["allowPrivilegeEscalation"] == false, "allowPrivilegeEscalation must be false");
        must(context["readOnlyRootFilesystem"] == true, "readOnlyRootFilesystem must be true");
        must(list(&context["capabilities"]["drop"]).any(|one| one == "ALL"), "capabilities must drop ALL");
        must(!container["resources"]["requests"]["cpu"].is_null(), "a cpu request is missing");
        must(!container["resources"]["requests"]["memory"].is_null(), "a memory request is missing");
        must(!container["resources"]["limits"]["memory"].is_null(), "a memory limit is missing");
        let image = container["image"].as_str().unwrap_or_default();
        must(image.contains(':') && !image.ends_with(":latest"), "the image needs a tag or digest that does not move");
    }
}

/// Every config map, secret and volume that is named is there.
fn references(deployment: &str, pod: &Value, workload: &Value, documents: &[Value], problems: &mut Vec<String>) {
    let maps: BTreeSet<_> = of_kind(documents, "ConfigMap").map(name).collect();
    let secrets = secrets(documents);
    let mut volumes: BTreeSet<_> = list(&pod["volumes"]).map(|volume| text(&volume["name"])).collect();
    volumes.extend(list(&workload["spec"]["volumeClaimTemplates"]).map(name));
    for volume in list(&pod["volumes"]) {
        let (map, secret) = (text(&volume["configMap"]["name"]), text(&volume["secret"]["secretName"]));
        if !map.is_empty() && !maps.contains(&map) {
            problems.push(format!("{deployment}: volume of config map {map}, which is not there"));
        }
        if !secret.is_empty() && !secrets.contains(&secret) {
            problems.push(format!("{deployment}: volume of secret {secret}, which nobody is told to make"));
        }
    }
    for container in list(&pod["containers"]) {
        for mount in list(&container["volumeMounts"]) {
            if !volumes.contains(&text(&mount["name"])) {
                problems.push(format!("{deployment}: mounts {}, which is no volume", text(&mount["name"])));
            }
        }
        for source in list(&container["envFrom"]) {
            let map = text(&source["configMapRef"]["name"]);
            if !maps.contains(&map) {
                problems.push(format!("{deployment}: environment from config map {map}, which is not there"));
            }
        }
    }
}

/// Those that are told to be made, and those that the operators of these resources make.
pub(crate) fn secrets(documents: &[Value]) -> BTreeSet<String> {
    let mut secrets: BTreeSet<_> = SECRETS_OF_THE_OPERATOR.iter().map(|name| (*name).to_owned()).collect();
    secrets.extend(of_kind(documents, "Secret").map(name));
    secrets.extend(of_kind(documents, "KafkaUser").map(name));
    secrets.extend(of_kind(documents, "Kafka").map(|kafka| format!("{}-cluster-ca-cert", name(kafka))));
    for cluster in of_kind(documents, "Cluster") {
        secrets.extend(["app", "ca"].map(|what| format!("{}-{what}", name(cluster))));
    }
    secrets.extend(of_kind(documents, "Certificate").map(|one| text(&one["spec"]["secretName"])));
    secrets
}

/// What is scraped is there, and has the port.
fn monitors(documents: &[Value], problems: &mut Vec<String>) {
    for monitor in of_kind(documents, "PodMonitor") {
        for endpoint in list(&monitor["spec"]["podMetricsEndpoints"]) {
            let selector = &monitor["spec"]["selector"]["matchLabels"];
            let mut pods = of_kind(documents, "Deployment").map(|one| &one["spec"]["template"]);
            let has = pods.any(|pod| {
                let ports = list(&pod["spec"]["containers"]).flat_map(|container| list(&container["ports"]));
                is_subset(selector, &pod["metadata"]["labels"])
                    && ports.into_iter().any(|port| port["name"] == endpoint["port"])
            });
            if !has {
                problems.push(format!("PodMonitor {}: no pod has port {}", name(monitor), text(&endpoint["port"])));
            }
        }
    }
    for monitor in of_kind(documents, "ServiceMonitor") {
        for endpoint in list(&monitor["spec"]["endpoints"]) {
            let selector = &monitor["spec"]["selector"]["matchLabels"];
            let has = of_kind(documents, "Service").any(|service| {
                is_subset(selector, &service["metadata"]["labels"])
                    && list(&service["spec"]["ports"]).any(|port| port["name"] == endpoint["port"])
            });
            if !has {
                problems.push(format!(
                    "ServiceMonitor {}: no service has port {}",
                    name(monitor),
                    text(&endpoint["port"])
                ));
            }
        }
    }
}

/// The namespace asks it of every pod, and the operator of the collector does not say it by itself.
fn collectors(documents: &[Value], problems: &mut Vec<String>) {
    for collector in of_kind(documents, "OpenTelemetryCollector") {
        let (pod, container) = (&collector["spec"]["podSecurityContext"], &collector["spec"]["securityContext"]);
        let is_restricted = pod["runAsNonRoot"] == true
            && pod["seccompProfile"]["type"] == "RuntimeDefault"
            && container["allowPrivilegeEscalation"] == false
            && list(&container["capabilities"]["drop"]).any(|one| one == "ALL");
        if !is_restricted {
            problems.push(format!("OpenTelemetryCollector {}: its pods are refused here", name(collector)));
        }
    }
}

/// The controller that the world reaches answers the challenges of certificates, and does not lead to operators' services.
fn classes(documents: &[Value], problems: &mut Vec<String>) {
    let of = |wanted: &str| {
        let ingress = of_kind(documents, "Ingress").find(|ingress| name(ingress) == wanted);
        ingress.map(|ingress| text(&ingress["spec"]["ingressClassName"])).filter(|class| !class.is_empty())
    };
    let Some(public) = of("public") else { return };
    if of("operators").is_none_or(|class| class == public) {
        problems.push(format!("Ingress operators: {public} is the controller that the world reaches"));
    }
    for issuer in of_kind(documents, "Issuer") {
        for solver in list(&issuer["spec"]["acme"]["solvers"]) {
            let class = text(&solver["http01"]["ingress"]["ingressClassName"]);
            if class != public {
                problems.push(format!("Issuer {}: nobody serves class {class}", name(issuer)));
            }
        }
    }
}

fn probes_and_grace(deployment: &str, pod: &Value, problems: &mut Vec<String>) {
    for container in list(&pod["containers"]) {
        let ports: BTreeSet<_> = list(&container["ports"]).map(|port| text(&port["name"])).collect();
        for (probe, path) in [("startupProbe", "/livez"), ("livenessProbe", "/livez"), ("readinessProbe", "/readyz")] {
            let get = &container[probe]["httpGet"];
            if get["path"] != path {
                problems.push(format!("{deployment}: {probe} must ask {path}"));
            }
            if !ports.contains(&text(&get["port"])) {
                problems.push(format!(
                    "{deployment}: {probe} asks port {:?}, which the container does not declare",
                    text(&get["port"])
                ));
            }
        }
        let sleep = container["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().unwrap_or(0);
        let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
        let drain = crate::fixtures::shutdown_deadline_seconds();
        if grace <= sleep + drain {
            problems.push(format!("{deployment}: terminationGracePeriodSeconds {grace} does not cover preStop {sleep} s and drain {drain} s"));
        }
    }
}

/// The service itself reads the environment, and the file, that the manifest gives it.
fn environment(deployment: &str, pod: &Value, documents: &[Value], problems: &mut Vec<String>) {
    let file = list(&pod["volumes"]).find_map(|volume| {
        let map = text(&volume["configMap"]["name"]);
        let map = of_kind(documents, "ConfigMap").find(|document| !map.is_empty() && name(document) == map)?;
        map["data"].as_mapping()?.values().next().map(text)
    });
    if let Err(error) = crate::fixtures::load(deployment, variables(pod, documents), file) {
        problems.push(format!("{deployment}: its settings are refused: {error}"));
    }
}

/// What a pod is given as environment.
pub(crate) fn variables(pod: &Value, documents: &[Value]) -> Vec<(String, String)> {
    let mut environment: Vec<(String, String)> = Vec::new();
    for source in list(&pod["containers"]).flat_map(|container| list(&container["envFrom"])) {
        let map = text(&source["configMapRef"]["name"]);
        for document in of_kind(documents, "ConfigMap").filter(|document| name(document) == map) {
            if let Some(data) = document["data"].as_mapping() {
                environment.extend(data.iter().map(|(key, value)| (text(key), text(value))));
            }
        }
    }
    // What a container says itself overrides what it takes from maps.
    for variable in list(&pod["containers"]).flat_map(|container| list(&container["env"])) {
        let key = text(&variable["name"]);
        environment.retain(|(other, _)| *other != key);
        environment.push((key, text(&variable["value"])));
    }
    environment
}

fn service_targets(service: &Value, documents: &[Value], problems: &mut Vec<String>) {
    let selector = &service["spec"]["selector"];
    let mut selected =
        workloads(documents).filter(|one| is_subset(selector, &template(one)["metadata"]["labels"])).peekable();
    if selected.peek().is_none() {
        problems.push(format!("Service {}: selects no pods", name(service)));
    }
    for deployment in selected {
        let ports: BTreeSet<_> = list(&template(deployment)["spec"]["containers"])
            .flat_map(|container| list(&container["ports"]))
            .map(|port| text(&port["name"]))
            .collect();
        for port in list(&service["spec"]["ports"]) {
            let target = text(&port["targetPort"]);
            if !ports.contains(&target) {
                problems.push(format!(
                    "Service {}: targetPort {target} is no port of {}",
                    name(service),
                    name(deployment)
                ));
            }
            if port["name"] == "grpc" && port["appProtocol"] != "kubernetes.io/h2c" {
                problems.push(format!("Service {}: port grpc must say appProtocol kubernetes.io/h2c", name(service)));
            }
        }
    }
}

fn ingress_targets(ingress: &Value, documents: &[Value], problems: &mut Vec<String>) {
    for rule in list(&ingress["spec"]["rules"]) {
        if text(&rule["host"]).is_empty() {
            problems.push(format!("Ingress {}: a rule without a host answers for every name", name(ingress)));
        }
        for path in list(&rule["http"]["paths"]) {
            let (service, port) =
                (text(&path["backend"]["service"]["name"]), text(&path["backend"]["service"]["port"]["name"]));
            let there = of_kind(documents, "Service").any(|candidate| {
                name(candidate) == service && list(&candidate["spec"]["ports"]).any(|one| one["name"] == port.as_str())
            });
            if !there {
                problems.push(format!("Ingress {}: leads to {service}:{port}, which is not there", name(ingress)));
            }
            let prefix = text(&path["path"]);
            if port == "grpc" && !crate::fixtures::grpc_services().contains(prefix.trim_matches('/')) {
                problems.push(format!("Ingress {}: {prefix} is no gRPC service of proto/", name(ingress)));
            }
            if name(ingress) == "public" && (port != "http" || prefix != "/webhooks/") {
                problems.push(format!("Ingress public: {prefix} leads to {service}:{port}; only the door is public"));
            }
        }
    }
}

/// What makes pods.
pub(crate) fn workloads(documents: &[Value]) -> impl Iterator<Item = &Value> {
    ["Deployment", "StatefulSet", "CronJob"].into_iter().flat_map(|kind| of_kind(documents, kind))
}

/// The pods that it makes.
pub(crate) fn template(workload: &Value) -> &Value {
    let spec = &workload["spec"];
    if workload["kind"] == "CronJob" { &spec["jobTemplate"]["spec"]["template"] } else { &spec["template"] }
}

fn selects(selector: &Value, labels: &Value, what: &str, problems: &mut Vec<String>) {
    if !is_subset(selector, labels) {
        problems.push(format!("{what}: does not select the pods of its own template"));
    }
}

pub(crate) fn is_subset(selector: &Value, labels: &Value) -> bool {
    selector.as_mapping().is_some_and(|selector| {
        !selector.is_empty() && selector.iter().all(|(key, value)| labels.get(key) == Some(value))
    })
}

pub(crate) fn of_kind<'a>(documents: &'a [Value], kind: &'a str) -> impl Iterator<Item = &'a Value> {
    documents.iter().filter(move |document| document["kind"] == kind)
}

pub(crate) fn name(document: &Value) -> String {
    text(&document["metadata"]["name"])
}

pub(crate) fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_sequence().into_iter().flatten()
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
