//! What health-check may do with the API of Kubernetes: nothing; with the component `pod-logs` it reads logs, and with `healing` it
//! restarts stages.

use serde_yaml_ng::Value;

use crate::check::{self, list, name, of_kind, template, text, workloads};
use crate::render;

/// Resource and what may be done with it, of every rule.
fn rights(documents: &[Value]) -> Vec<(String, String)> {
    let rules = of_kind(documents, "Role").chain(of_kind(documents, "ClusterRole"));
    let mut rights = Vec::new();
    for rule in rules.flat_map(|role| list(&role["rules"])) {
        for resource in list(&rule["resources"]) {
            rights.extend(list(&rule["verbs"]).map(|verb| (text(resource), text(verb))));
        }
    }
    rights
}

#[test]
fn no_overlay_may_do_anything_with_the_api() {
    for overlay in render::OVERLAYS {
        let documents = render::overlay(overlay);
        assert_eq!(rights(&documents), [], "{overlay}");
        let accounts: Vec<_> = workloads(&documents).map(|one| &template(one)["spec"]["serviceAccountName"]).collect();
        assert!(accounts.iter().all(|account| account.is_null()), "{overlay}: {accounts:?}");
    }
}

#[test]
fn with_the_component_health_check_reads_logs_and_nothing_else() {
    let documents = render::with(&["valkey", "strimzi", "postgres", "cert-manager", "api-account", "pod-logs"]);
    assert_eq!(check::all(&documents), [""; 0]);
    assert_eq!(rights(&documents), [right("pods", "get"), right("pods", "list"), right("pods/log", "get")]);
    only_health_check_may(&documents);
    // Where a probe looks for them, unless its settings say it.
    let health_check = of_kind(&documents, "Deployment").find(|one| name(one) == "health-check").unwrap();
    let pod = &template(health_check)["spec"];
    let mut mounts = list(&pod["containers"][0]["volumeMounts"]);
    let mount = mounts.find(|mount| mount["mountPath"] == "/var/run/secrets/kubernetes.io/serviceaccount").unwrap();
    let volume = list(&pod["volumes"]).find(|volume| volume["name"] == mount["name"]).unwrap();
    let sources: Vec<_> = list(&volume["projected"]["sources"]).collect();
    assert_eq!(sources[0]["serviceAccountToken"]["path"], "token");
    assert_eq!(sources[1]["configMap"]["items"][0]["path"], "ca.crt");
    assert_eq!(sources[2]["downwardAPI"]["items"][0]["path"], "namespace");
}

#[test]
fn with_healing_it_may_change_the_stages_that_it_restarts_and_nothing_else() {
    let documents = render::with(&["valkey", "strimzi", "postgres", "cert-manager", "api-account", "healing"]);
    assert_eq!(check::all(&documents), [""; 0]);
    assert_eq!(rights(&documents), [right("deployments", "get"), right("deployments", "patch")]);
    only_health_check_may(&documents);
    let role = of_kind(&documents, "Role").next().unwrap();
    assert_eq!(list(&role["rules"][0]["apiGroups"]).map(text).collect::<Vec<_>>(), ["apps"]);
    let may: Vec<_> = list(&role["rules"][0]["resourceNames"]).map(text).collect();
    // As the settings have it, unless somebody changes both.
    let stages = format!("\nstages = {may:?}\n");
    assert!(health_check::HEALTH_CHECK_DEFAULTS.contains(&stages), "{stages}");
    for stage in may {
        assert!(of_kind(&documents, "Deployment").any(|one| name(one) == stage), "{stage}");
    }
    let health_check = of_kind(&documents, "Deployment").find(|one| name(one) == "health-check").unwrap();
    let env: Vec<_> = list(&template(health_check)["spec"]["containers"][0]["env"]).collect();
    let [enabled] = env[..] else { panic!("{env:?}") };
    assert_eq!(enabled["name"], "WEIR__HEALTH_CHECK__HEALING__ENABLED", "and it is a dry run still");
}

fn right(resource: &str, verb: &str) -> (String, String) {
    (resource.to_owned(), verb.to_owned())
}

fn only_health_check_may(documents: &[Value]) {
    let bindings: Vec<_> = ["RoleBinding", "ClusterRoleBinding"].iter().flat_map(|it| of_kind(documents, it)).collect();
    let [binding] = bindings[..] else { panic!("{bindings:?}") };
    let subjects: Vec<_> =
        list(&binding["subjects"]).map(|one| (text(&one["name"]), text(&one["namespace"]))).collect();
    assert_eq!(subjects, [("health-check".to_owned(), "weir".to_owned())]);
    for workload in workloads(documents) {
        let (pod, is_health_check) = (&template(workload)["spec"], name(workload) == "health-check");
        assert_eq!(pod["serviceAccountName"] == "health-check", is_health_check, "{}", name(workload));
        let sources = list(&pod["volumes"]).flat_map(|volume| list(&volume["projected"]["sources"]));
        let tokens = sources.filter(|source| !source["serviceAccountToken"].is_null()).count();
        assert_eq!(tokens, usize::from(is_health_check), "{}", name(workload));
    }
}
