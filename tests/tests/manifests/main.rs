//! What `kubectl apply` would find out too late: every manifest is rendered, typed strictly, and
//! checked against the others, the settings and the constants of the code. Each check has a broken
//! fixture that it must catch, made from the rendered manifests by one change.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and says what it saw"
)]

mod arrows;
mod check;
mod cluster;
mod compose;
mod fixtures;
mod gateway;
mod images;
mod jobs;
mod kafka;
mod page;
mod pod_logs;
mod render;
mod scale;
mod schema;
mod small;
mod written;

#[test]
fn every_overlay_is_sound() {
    for overlay in render::OVERLAYS {
        let problems = check::all(&render::overlay(overlay));
        assert_eq!(problems, [""; 0], "{overlay}");
    }
}

#[test]
fn every_way_in_is_sound() {
    let controllers = ["traefik", "haproxy", "contour", "f5-nginx"].map(|name| format!("controllers/{name}"));
    for component in controllers.iter().map(String::as_str).chain(["gateway-api"]) {
        let problems = check::all(&render::with(&["valkey", "strimzi", "postgres", "cert-manager", component]));
        assert_eq!(problems, [""; 0], "{component}");
    }
}

/// What stands in the way of a plain `kubectl apply`: the local overlay needs no kind of resource that must be installed before.
#[test]
fn the_local_overlay_needs_no_operator() {
    let all = render::overlay("local");
    let foreign: Vec<_> = all
        .iter()
        .filter_map(|document| document["apiVersion"].as_str())
        .filter(|version| {
            version.split('/').next().is_some_and(|group| group.contains('.') && !group.ends_with(".k8s.io"))
        })
        .collect();
    assert_eq!(foreign, [""; 0]);
}
