//! How many there are of each.

use serde_yaml_ng::Value;

use crate::check::{list, name, of_kind, secrets, text};

/// Who is scaled is there, and nobody else says how many there are.
pub(crate) fn scaled(documents: &[Value], problems: &mut Vec<String>) {
    let scalers = of_kind(documents, "HorizontalPodAutoscaler").chain(of_kind(documents, "ScaledObject"));
    for scaler in scalers {
        let (kind, target) = (text(&scaler["kind"]), text(&scaler["spec"]["scaleTargetRef"]["name"]));
        match of_kind(documents, "Deployment").find(|deployment| name(deployment) == target) {
            None => problems.push(format!("{kind} {}: scales {target}, which is not there", name(scaler))),
            Some(deployment) if !deployment["spec"]["replicas"].is_null() => {
                problems.push(format!("{kind} {}: {target} says itself how many replicas it has", name(scaler)));
            }
            Some(_) => {}
        }
        for trigger in list(&scaler["spec"]["triggers"]) {
            // KEDA resolves it in its own namespace.
            let (servers, namespace) =
                (text(&trigger["metadata"]["bootstrapServers"]), text(&scaler["metadata"]["namespace"]));
            if !servers.contains(&format!(".{namespace}.svc:")) {
                problems.push(format!("ScaledObject {}: {servers} has no namespace, or another", name(scaler)));
            }
            let login = text(&trigger["authenticationRef"]["name"]);
            let Some(login) = of_kind(documents, "TriggerAuthentication").find(|one| name(one) == login) else {
                problems
                    .push(format!("ScaledObject {}: authenticates with {login:?}, which is not there", name(scaler)));
                continue;
            };
            for reference in list(&login["spec"]["secretTargetRef"]) {
                let secret = text(&reference["name"]);
                if !secrets(documents).contains(&secret) {
                    problems.push(format!("TriggerAuthentication {}: secret {secret} is not there", name(login)));
                }
            }
        }
    }
}

/// health-check waits for no more of a service than there always are.
pub(crate) fn answering(documents: &[Value], problems: &mut Vec<String>) {
    for map in of_kind(documents, "ConfigMap").filter(|map| !map["data"]["health-check.toml"].is_null()) {
        let settings: toml::Table = toml::from_str(&text(&map["data"]["health-check.toml"])).unwrap();
        for asked in settings["health_check"]["services"].as_array().unwrap() {
            let (service, expected) = (asked["name"].as_str().unwrap(), asked["expected"].as_integer().unwrap());
            let fewest = documents.iter().find_map(|one| {
                let spec = &one["spec"];
                match one["kind"].as_str()? {
                    "Deployment" if name(one) == service => spec["replicas"].as_i64(),
                    "HorizontalPodAutoscaler" if spec["scaleTargetRef"]["name"] == service => {
                        spec["minReplicas"].as_i64()
                    }
                    "ScaledObject" if spec["scaleTargetRef"]["name"] == service => spec["minReplicaCount"].as_i64(),
                    _ => None,
                }
            });
            if fewest.is_none_or(|fewest| expected > fewest) {
                problems.push(format!("health-check expects {expected} of {service}, and there may be {fewest:?}"));
            }
        }
    }
}
