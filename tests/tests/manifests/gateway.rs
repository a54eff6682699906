//! The routes of the Gateway API.

use serde_yaml_ng::Value;

use crate::check::{list, name, of_kind, text};
use crate::fixtures;

/// Routes of the Gateway API lead to what is there, and only webhooks are public.
pub(crate) fn check(documents: &[Value], problems: &mut Vec<String>) {
    for route in of_kind(documents, "HTTPRoute").chain(of_kind(documents, "GRPCRoute")) {
        let what = format!("{} {}", text(&route["kind"]), name(route));
        for parent in list(&route["spec"]["parentRefs"]) {
            let gateway = of_kind(documents, "Gateway").find(|gateway| gateway["metadata"]["name"] == parent["name"]);
            let listener = gateway.and_then(|gateway| {
                list(&gateway["spec"]["listeners"]).find(|listener| listener["name"] == parent["sectionName"])
            });
            match listener {
                None => problems.push(format!("{what}: its gateway has no such listener")),
                Some(listener) if !list(&route["spec"]["hostnames"]).any(|host| *host == listener["hostname"]) => {
                    problems.push(format!("{what}: its listener is for another host"));
                }
                Some(_) => {}
            }
        }
        for rule in list(&route["spec"]["rules"]) {
            for backend in list(&rule["backendRefs"]) {
                let port = list_ports(documents, &text(&backend["name"]))
                    .into_iter()
                    .find(|port| port["port"] == backend["port"]);
                let Some(port) = port else {
                    problems.push(format!("{what}: leads to {}, which is not there", text(&backend["name"])));
                    continue;
                };
                let public = list(&route["spec"]["parentRefs"]).any(|parent| parent["name"] == "public");
                if public && port["name"] != "http" {
                    problems.push(format!("{what}: only the door is public"));
                }
            }
            for matched in list(&rule["matches"]).filter(|_| route["kind"] == "GRPCRoute") {
                let service = text(&matched["method"]["service"]);
                if !fixtures::grpc_services().contains(&service) {
                    problems.push(format!("{what}: {service} is no gRPC service of proto/"));
                }
            }
        }
    }
}

/// Says after how long what stands before the door closes a connection to it that is idle.
const IDLE: &str = "weir.example.com/idle-seconds";

/// Whatever stands before the door closes an idle connection before the door does: else it sends a request just as the
/// door closes, and tells the sender 502.
pub(crate) fn idle(documents: &[Value], problems: &mut Vec<String>) {
    let streaming = of_kind(documents, "ConfigMap").find(|map| name(map).starts_with("weir-streaming-"));
    let set = streaming.and_then(|map| text(&map["data"]["WEIR__STREAMING__IDLE_TIMEOUT_MS"]).parse().ok());
    let door = set.unwrap_or_else(fixtures::idle_timeout_ms) / 1000;
    let ingresses = of_kind(documents, "Ingress").filter(|ingress| !ingress["spec"]["ingressClassName"].is_null());
    for way in ingresses.chain(of_kind(documents, "Gateway")).filter(|way| name(way) == "public") {
        let what = format!("{} public", text(&way["kind"]));
        match text(&way["metadata"]["annotations"][IDLE]).parse::<u64>() {
            Err(_) => problems.push(format!("{what}: does not say in {IDLE} when it closes what is idle")),
            Ok(seconds) if seconds >= door => problems.push(format!(
                "{what}: closes what is idle after {seconds} s, and the door before that, after {door} s"
            )),
            Ok(_) => {}
        }
    }
}

fn list_ports<'a>(documents: &'a [Value], service: &str) -> Vec<&'a Value> {
    let found = of_kind(documents, "Service").filter(|candidate| name(candidate) == service);
    found.flat_map(|service| list(&service["spec"]["ports"])).collect()
}
