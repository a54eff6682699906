//! docker-compose.yml: what it starts, in which order, and with which settings.

use std::process::Command;

use serde_yaml_ng::Value;
use weir_tests::process::program;

use crate::check::{list, text};
use crate::render;

/// The file with its merge keys applied.
fn compose() -> Value {
    let text = std::fs::read_to_string(render::root().join("docker-compose.yml")).unwrap();
    let mut compose: Value = serde_yaml_ng::from_str(&text).unwrap();
    compose.apply_merge().unwrap();
    compose
}

/// What a service is given: its environment, and the text of its file.
fn given(compose: &Value, name: &str) -> (Vec<(String, String)>, Option<String>) {
    let service = &compose["services"][name];
    let file = list(&service["configs"]).next().map(|config| {
        let file = compose["configs"][text(&config["source"])]["file"].as_str().unwrap();
        std::fs::read_to_string(render::root().join(file)).unwrap()
    });
    let environment = service["environment"].as_mapping().unwrap_or_else(|| panic!("{name} has none"));
    let environment = environment.iter().map(|(key, value)| {
        let value =
            value.as_str().map_or_else(|| serde_yaml_ng::to_string(value).unwrap().trim().to_owned(), str::to_owned);
        (key.as_str().unwrap().to_owned(), value)
    });
    (environment.collect(), file)
}

/// The programs themselves say that it will do, and that one setting more that nobody knows will not.
#[test]
fn each_program_takes_its_environment() {
    let (compose, folder) = (compose(), tempfile::tempdir().unwrap());
    for name in render::services() {
        let (environment, file) = given(&compose, name);
        let mut command = Command::new(program(&format!("weir-{name}")).unwrap());
        // Whether the files are there that it names can be told only in its container.
        command.arg("--print-config").env_clear().envs(environment);
        if let Some(text) = file {
            let path = folder.path().join(format!("{name}.toml"));
            std::fs::write(&path, text).unwrap();
            command.arg("--config").arg(path);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let output = command.env("WEIR__ADMIN__LISTN", "0.0.0.0:1").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(64) && said.contains("admin.listn"), "{name}: {said}");
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

#[test]
fn valkey_takes_whoever_is_in_its_network() {
    let mut problems = Vec::new();
    for (name, service) in compose()["services"].as_mapping().unwrap() {
        crate::cluster::unprotected(name.as_str().unwrap(), &service["command"], &mut problems);
    }
    assert_eq!(problems, [""; 0]);
}

/// Whoever may read its secrets: their owner on the host, for Docker changes neither owner nor mode.
#[test]
fn every_program_runs_as_the_owner_of_its_secrets() {
    let compose = compose();
    for name in render::services() {
        assert_eq!(compose["services"][name]["user"], "${WEIR_USER:-65532:65532}", "{name}");
    }
}

/// Every file and volume that is named is there, but for the secrets, which are made.
#[test]
fn everything_that_is_named_is_there() {
    let compose = compose();
    for (name, config) in compose["configs"].as_mapping().unwrap() {
        let file = render::root().join(text(&config["file"]));
        assert!(file.is_file(), "config {name:?}: {} is not there", file.display());
    }
    for (name, secret) in compose["secrets"].as_mapping().unwrap() {
        assert!(text(&secret["file"]).starts_with("deploy/compose-secrets/"), "secret {name:?}");
    }
    for (name, service) in compose["services"].as_mapping().unwrap() {
        for secret in list(&service["secrets"]) {
            assert!(!compose["secrets"][text(secret)].is_null(), "{name:?}: secret {secret:?} is not there");
        }
        for config in list(&service["configs"]) {
            assert!(!compose["configs"][text(&config["source"])].is_null(), "{name:?}: config {config:?} is not there");
        }
        for volume in list(&service["volumes"]) {
            let volume = text(volume);
            let (volume, _) = volume.split_once(':').unwrap();
            assert!(compose["volumes"].as_mapping().unwrap().contains_key(volume), "{name:?}: volume {volume:?}");
        }
    }
}

/// A log that is away is an alert of each service.
#[test]
fn what_has_one_cause_is_one_notification() {
    let text = std::fs::read_to_string(render::root().join("deploy/compose/alertmanager.yaml")).unwrap();
    let settings: Value = serde_yaml_ng::from_str(&text).unwrap();
    assert_eq!(settings["route"]["group_by"], serde_yaml_ng::to_value(["alertname"]).unwrap());
}

#[test]
fn alerts_are_those_of_kubernetes() {
    let read = |path: &str| {
        let text = std::fs::read_to_string(render::root().join(path)).unwrap();
        serde_yaml_ng::from_str::<Value>(&text.replace("(namespace, ", "(")).unwrap()
    };
    let kubernetes = read("k8s/components/monitoring/rules.yaml");
    assert_eq!(read("deploy/compose/rules.yaml")["groups"], kubernetes["spec"]["groups"]);
}
