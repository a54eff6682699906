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

fn list_ports<'a>(documents: &'a [Value], service: &str) -> Vec<&'a Value> {
    let found = of_kind(documents, "Service").filter(|candidate| name(candidate) == service);
    found.flat_map(|service| list(&service["spec"]["ports"])).collect()
}
