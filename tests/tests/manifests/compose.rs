//! docker-compose.yml: what it starts, in which order, and with which settings.

use serde_yaml_ng::Value;

use crate::{fixtures, render};

/// The file with its merge keys applied.
fn compose() -> Value {
    let text = std::fs::read_to_string(render::root().join("docker-compose.yml")).unwrap();
    let mut compose: Value = serde_yaml_ng::from_str(&text).unwrap();
    compose.apply_merge().unwrap();
    compose
}

#[test]
fn each_service_takes_its_environment() {
    let compose = compose();
    for name in ["streaming", "processing"] {
        let environment =
            compose["services"][name]["environment"].as_mapping().unwrap_or_else(|| panic!("{name} has none"));
        let environment = environment.iter().map(|(key, value)| {
            let value = value
                .as_str()
                .map_or_else(|| serde_yaml_ng::to_string(value).unwrap().trim().to_owned(), str::to_owned);
            (key.as_str().unwrap().to_owned(), value)
        });
        fixtures::load(name, environment.collect()).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

#[test]
fn everything_that_is_waited_for_has_a_health_check() {
    let compose = compose();
    let services = compose["services"].as_mapping().unwrap();
    assert!(services.len() >= 5);
    for (name, service) in services {
        let Some(dependencies) = service["depends_on"].as_mapping() else { continue };
        for (dependency, condition) in dependencies {
            let other = services
                .get(dependency)
                .unwrap_or_else(|| panic!("{name:?} waits for {dependency:?}, which is not there"));
            if condition["condition"] == "service_healthy" {
                let is_ours = other["image"].as_str().is_some_and(|image| image.starts_with("weir-"));
                assert!(is_ours || !other["healthcheck"]["test"].is_null(), "{dependency:?} has no health check");
            }
        }
    }
}

#[test]
fn every_published_port_is_on_loopback() {
    let compose = compose();
    for (name, service) in compose["services"].as_mapping().unwrap() {
        for port in service["ports"].as_sequence().into_iter().flatten() {
            assert!(
                port.as_str().is_some_and(|port| port.starts_with("127.0.0.1:")),
                "{name:?} publishes {port:?} to everybody"
            );
        }
    }
}
