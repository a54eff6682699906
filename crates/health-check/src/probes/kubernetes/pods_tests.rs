use serde_json::json;

use super::*;

/// As the API server lists a pod, without what nobody reads here.
fn pod(name: &str, statuses: serde_json::Value) -> serde_json::Value {
    json!({
        "metadata": {"name": name, "generateName": "shop-", "namespace": "shop", "uid": format!("uid-{name}"),
            "labels": {"app": "shop"}, "creationTimestamp": "2026-11-30T10:00:00Z"},
        "spec": {"containers": [{"name": "web", "image": "shop:1"}], "nodeName": "node-1"},
        "status": {"phase": "Running", "podIP": "10.0.0.5", "containerStatuses": statuses},
    })
}

fn list(pods: &[serde_json::Value]) -> String {
    json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "12345"}, "items": pods}).to_string()
}

fn status(name: &str, restarts: u64, state: serde_json::Value) -> serde_json::Value {
    json!({"name": name, "state": state, "lastState": {}, "ready": true, "restartCount": restarts, "image": "shop:1",
        "containerID": "containerd://0123", "started": true})
}

#[test]
fn the_containers_of_pods_that_have_a_log_are_found() {
    let running = json!({"running": {"startedAt": "2026-11-30T10:00:02Z"}});
    let ended = json!({"terminated": {"exitCode": 0, "reason": "Completed", "startedAt": "2026-11-30T10:00:02Z",
        "finishedAt": "2026-11-30T10:00:09Z", "containerID": "containerd://0123"}});
    let waits =
        json!({"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting failed container"}});
    let creates = json!({"waiting": {"reason": "ContainerCreating"}});
    let mut crashed = status("web", 0, waits.clone());
    crashed["lastState"] = ended.clone();
    let mut first = pod("shop-1", json!([status("web", 2, running.clone()), status("proxy", 0, running.clone())]));
    first["status"]["initContainerStatuses"] = json!([status("init", 0, ended)]);
    let all = [
        first,
        pod("shop-2", json!([status("web", 0, creates.clone()), status("proxy", 5, waits)])),
        pod("shop-3", json!([crashed])),
        // Nobody has given it a node yet.
        json!({"metadata": {"name": "shop-4", "uid": "4"}, "status": {"phase": "Pending"}}),
    ];
    let found = |only| containers(list(&all).as_bytes(), only).unwrap();
    let named = |only| found(only).iter().map(|it| (it.name(), it.restarts, it.is_terminated)).collect::<Vec<_>>();
    let one = |name: &str, restarts, is_terminated| (name.to_owned(), restarts, is_terminated);
    assert_eq!(
        named(None),
        [
            one("shop-1/init", 0, true),
            one("shop-1/web", 2, false),
            one("shop-1/proxy", 0, false),
            one("shop-2/proxy", 5, false),
            one("shop-3/web", 0, false),
        ]
    );
    assert_eq!(named(Some("web")), [one("shop-1/web", 2, false), one("shop-3/web", 0, false)]);
    assert_eq!(found(Some("web"))[0].id, ("uid-shop-1".to_owned(), "web".to_owned()));
}

#[test]
fn where_there_is_no_log_it_is_said() {
    let creates = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}});
    let waiting = list(&[pod("shop-1", json!([status("web", 0, creates)]))]);
    let pending = list(&[json!({"metadata": {"name": "shop-1", "uid": "1"}, "status": {"phase": "Pending"}})]);
    let mut more: serde_json::Value = serde_json::from_str(&waiting).unwrap();
    more["metadata"] = json!({"resourceVersion": "1", "continue": "eyJ2IjoibWV0YS5rOHMuaW8", "remainingItemCount": 7});
    for (body, only, says) in [
        (list(&[]), None, "there is no such pod"),
        (waiting.clone(), None, "no container has been started: shop-1/web ImagePullBackOff"),
        (waiting, Some("proxy"), "no pod has a container proxy"),
        (pending, None, "no container has been started"),
        (more.to_string(), None, "there are more than 1 such pods: choose fewer"),
        ("<html>log in</html>".to_owned(), None, "the answer is no list of pods: expected value at line 1 column 1"),
    ] {
        assert_eq!(containers(body.as_bytes(), only).unwrap_err(), says);
    }
}
