//! docs/kubernetes.md: whoever types its commands from the top to the end is stopped by none of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_yaml_ng::Value;

use crate::check::{self, list, name, of_kind, template, text, workloads};
use crate::render;

fn page() -> String {
    std::fs::read_to_string(render::root().join("docs/kubernetes.md")).unwrap()
}

/// The lines of the blocks of code in this language; what a backslash continues is one line.
fn code(page: &str, language: &str) -> Vec<String> {
    let (mut lines, mut inside) = (Vec::new(), None);
    for line in page.lines() {
        match (line.trim_start().strip_prefix("```"), inside) {
            (Some(_), Some(_)) => inside = None,
            (Some(opened), None) => inside = Some(opened == language),
            (None, Some(true)) => lines.push(line.to_owned()),
            (None, _) => {}
        }
    }
    lines.join("\n").replace("\\\n", " ").lines().map(str::to_owned).collect()
}

/// What stops whoever types the commands: a namespace that nobody made, and a chart that is not waited for.
fn typed(page: &str) -> Vec<String> {
    let (mut problems, mut variables, mut made) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    for line in code(page, "sh") {
        let line = line.split('#').next().unwrap_or_default();
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [first] = words[..]
            && let Some((variable, value)) = first.split_once('=')
        {
            variables.insert(format!("\"${variable}\""), value.to_owned());
        }
        let meant = |word: &str| variables.get(word).cloned().unwrap_or_else(|| word.to_owned());
        let after = |wanted: &[&str]| {
            let at = words.windows(wanted.len()).position(|words| words == wanted)?;
            words.get(at + wanted.len()).map(|word| meant(word))
        };
        let created = after(&["create", "namespace"]);
        let of_chart = after(&["-n"]).filter(|_| words.contains(&"--create-namespace"));
        made.extend(created.into_iter().chain(of_chart));
        for namespace in after(&["-n"]).into_iter().chain(after(&["label", "namespace"])) {
            if !made.contains(&namespace) {
                problems.push(format!("namespace {namespace} is not there yet: {line}"));
            }
        }
        if words.starts_with(&["helm", "install"]) && !words.contains(&"--wait") {
            problems.push(format!("the next command does not wait for it: {line}"));
        }
    }
    problems
}

/// What an overlay needs of the cluster, and of whoever installs it, and the page does not say.
fn untold(page: &str, documents: &[Value]) -> Vec<String> {
    let mut problems = Vec::new();
    let mut must = |needed: bool, said: &str, why: &str| {
        if needed && !page.contains(said) {
            problems.push(format!("the page does not say {said:?}: {why}"));
        }
    };
    let sleeps = |workload: &&Value| {
        let mut containers = list(&template(workload)["spec"]["containers"]);
        containers.any(|container| !container["lifecycle"]["preStop"]["sleep"].is_null())
    };
    must(workloads(documents).any(|one| sleeps(&one)), "Kubernetes 1.30", "pods sleep before they end");
    let mut claims = workloads(documents).flat_map(|one| list(&one["spec"]["volumeClaimTemplates"]));
    let of_default = claims.any(|claim| claim["spec"]["storageClassName"].is_null());
    must(of_default, "default StorageClass", "a claim names none");
    let of_default = of_kind(documents, "Ingress").any(|one| one["spec"]["ingressClassName"].is_null());
    must(of_default, "default IngressClass", "an Ingress names none");
    let mut containers = workloads(documents).flat_map(|one| list(&template(one)["spec"]["containers"]));
    let unlimited = containers.any(|one| one["resources"]["limits"]["cpu"].is_null());
    must(unlimited, "limits.cpu", "a quota on it refuses containers that have none");
    for namespace in of_kind(documents, "Namespace") {
        must(true, &name(namespace), "its namespace has to be made first");
    }
    for workload in workloads(documents) {
        for volume in list(&template(workload)["spec"]["volumes"]).filter(|volume| !volume["secret"].is_null()) {
            let secret = format!("`{}`", text(&volume["secret"]["secretName"]));
            must(true, &secret, &format!("the pods of {} wait for it", name(workload)));
        }
    }
    problems
}

#[test]
fn its_commands_can_be_typed_in_their_order() {
    let page = page();
    assert_eq!(typed(&page), [""; 0]);
    for (from, to, expected) in [
        (" --wait", "", "does not wait for it: helm install cert-manager"),
        ("kubectl create namespace public-ingress\n", "", "namespace public-ingress is not there yet"),
        ("kubectl create namespace \"$NAMESPACE\" --save-config\n", "", "namespace weir is not there yet"),
        ("-n monitoring --create-namespace", "-n monitoring", "namespace monitoring is not there yet"),
    ] {
        let broken = page.replace(from, to);
        assert_ne!(broken, page, "{from:?} is not on the page");
        let problems = typed(&broken);
        assert!(problems.iter().any(|problem| problem.contains(expected)), "{from:?}: {problems:?}");
    }
}

#[test]
fn it_says_what_has_to_be_there() {
    let page = page();
    for overlay in render::OVERLAYS {
        let documents = render::overlay(overlay);
        assert_eq!(untold(&page, &documents), [""; 0], "{overlay}");
        let namespace = of_kind(&documents, "Namespace").map(name).next().unwrap();
        for said in ["Kubernetes 1.30", "limits.cpu", "`weir-sealing-key`", namespace.as_str()] {
            let problems = untold(&page.replace(said, "…"), &documents);
            assert!(problems.iter().any(|problem| problem.contains(said)), "{overlay}, {said:?}: {problems:?}");
        }
    }
    for (overlay, said) in [
        ("local", "default StorageClass"),
        ("local", "default IngressClass"),
        ("production", "`kafka-cluster-ca-cert`"),
    ] {
        let problems = untold(&page.replace(said, "…"), &render::overlay(overlay));
        assert!(problems.iter().any(|problem| problem.contains(said)), "{said:?}: {problems:?}");
    }
}

/// What it promises while others wait for their Secrets.
#[test]
fn the_status_page_waits_for_no_secret() {
    for overlay in render::OVERLAYS {
        let documents = render::overlay(overlay);
        let health = of_kind(&documents, "Deployment").find(|one| name(one) == "health-check").unwrap();
        let mut volumes = list(&template(health)["spec"]["volumes"]);
        assert!(volumes.all(|volume| volume["secret"].is_null()), "{overlay}: health-check waits for a Secret");
    }
}

/// Each command of `weir` that it shows is one, and the resources that it shows are what the API knows.
#[test]
fn what_it_shows_is_taken() {
    let page = page();
    let shown: Vec<_> = code(&page, "sh")
        .into_iter()
        .filter_map(|line| Some(line.split_once("deploy/tools -- /weir ")?.1.split(" < ").next()?.to_owned()))
        .collect();
    assert!(shown.len() >= 4, "{shown:?}");
    for line in shown {
        let line = line.replace("DELIVERY_ID", "01938c5f7e1a2b3c4d5e6f708192a3b4");
        assert_eq!(weir::cmd::check_arguments(line.split_whitespace()), Ok(()), "{line}");
    }
    let mut problems = Vec::new();
    let shown = render::documents(&code(&page, "yaml").join("\n"));
    assert_eq!(shown.iter().map(|one| text(&one["kind"])).collect::<Vec<_>>(), ["LimitRange"]);
    shown.iter().for_each(|one| check::strict(one, &mut problems));
    assert_eq!(problems, [""; 0]);
}
