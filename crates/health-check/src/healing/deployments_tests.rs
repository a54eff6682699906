use std::sync::{Arc, Mutex};

use http::Method;
use serde_json::Value;

use super::*;
use crate::probes::peer::{Asked, Peer, answer};

/// 2026-12-01 10:00:00 UTC
const NOW: i64 = 1_796_119_200_000;

/// An API server with one Deployment. It keeps its version, as the real one does.
struct Server {
    peer: Peer,
    state: Arc<Mutex<Deployed>>,
}

struct Deployed {
    object: Value,
    /// What is answered in place of a change.
    refuses: Option<(u16, String)>,
}

impl Server {
    async fn new() -> Self {
        let state = Arc::new(Mutex::new(Deployed { object: deployed(), refuses: None }));
        let asked = Arc::clone(&state);
        let peer = Peer::new(move |request| asked.lock().unwrap().answer(request)).await;
        Self { peer, state }
    }

    fn remedy(&self) -> Deployments {
        let (namespace, url) = (Some("shop".to_owned()), Some(self.peer.url()));
        Deployments::new(&KubernetesSettings { namespace, url, ..KubernetesSettings::default() })
    }

    fn change(&self, change: impl FnOnce(&mut Value)) {
        change(&mut self.state.lock().unwrap().object);
    }
}

fn deployed() -> Value {
    json!({
        "kind": "Deployment", "apiVersion": "apps/v1",
        "metadata": {"name": "loader", "namespace": "shop", "resourceVersion": "7", "generation": 3},
        "spec": {"replicas": 2, "template": {"metadata": {"labels": {"app": "loader"}}, "spec": {"containers": []}}},
        "status": {"observedGeneration": 3, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2},
    })
}

impl Deployed {
    fn answer(&mut self, asked: &Asked) -> http::Response<String> {
        if asked.path != "/apis/apps/v1/namespaces/shop/deployments/loader" {
            return answer(404, status(404, "deployments.apps \"other\" not found"));
        }
        if asked.method == Method::GET {
            return answer(200, self.object.to_string());
        }
        assert_eq!(asked.method, Method::PATCH);
        assert_eq!(asked.header("content-type"), Some("application/merge-patch+json"));
        if let Some((code, body)) = &self.refuses {
            return answer(*code, body);
        }
        let change: Value = serde_json::from_slice(&asked.body).unwrap();
        if change["metadata"]["resourceVersion"] != self.object["metadata"]["resourceVersion"] {
            return answer(409, status(409, "the object has been modified"));
        }
        merge(&mut self.object, &change);
        self.object["metadata"]["resourceVersion"] = "8".into();
        answer(200, self.object.to_string())
    }
}

/// As RFC 7396 has it.
fn merge(object: &mut Value, change: &Value) {
    let Value::Object(change) = change else {
        *object = change.clone();
        return;
    };
    for (key, value) in change {
        merge(&mut object[key], value);
    }
}

fn status(code: u16, message: &str) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "code": code}).to_string()
}

fn millis(times: &[i64]) -> BTreeSet<i64> {
    times.iter().copied().collect()
}

#[tokio::test]
async fn a_restart_is_written_where_kubectl_writes_it_and_where_the_next_one_reads_it() {
    let server = Server::new().await;
    let remedy = server.remedy();
    let seen = remedy.look("loader").await.unwrap();
    assert_eq!(seen, Seen { applied_ms: BTreeSet::new(), busy: None, version: "7".to_owned() });
    remedy.apply("loader", &seen, NOW).await.unwrap();
    let asked = server.peer.asked();
    assert_eq!(asked[1].query["fieldManager"], "weir-health-check");
    let object = server.state.lock().unwrap().object.clone();
    let annotation = &object["spec"]["template"]["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"];
    assert_eq!(annotation, "2026-12-01T10:00:00Z");
    assert_eq!(object["spec"]["template"]["metadata"]["labels"]["app"], "loader", "and nothing else changes");
    // Another health-check, or this one after a restart.
    let seen = server.remedy().look("loader").await.unwrap();
    assert_eq!(seen.applied_ms, millis(&[NOW]));
    remedy.apply("loader", &seen, NOW + 1500).await.unwrap();
    assert_eq!(server.remedy().look("loader").await.unwrap().applied_ms, millis(&[NOW, NOW + 1500]));
}

#[tokio::test]
async fn what_a_person_did_is_seen_too() {
    let server = Server::new().await;
    server.change(|object| {
        let at = json!({ RESTARTED_AT: "2026-12-01T11:00:00+01:00" });
        object["spec"]["template"]["metadata"]["annotations"] = at;
    });
    assert_eq!(server.remedy().look("loader").await.unwrap().applied_ms, millis(&[NOW]));
    server
        .change(|object| object["spec"]["template"]["metadata"]["annotations"] = json!({ RESTARTED_AT: "yesterday" }));
    let error = server.remedy().look("loader").await.unwrap_err();
    assert_eq!(error, "its annotation kubectl.kubernetes.io/restartedAt is no time: \"yesterday\"");
}

#[tokio::test]
async fn of_two_that_saw_the_same_one_restarts_it() {
    let server = Server::new().await;
    let (one, other) = (server.remedy(), server.remedy());
    let (seen, also) = (one.look("loader").await.unwrap(), other.look("loader").await.unwrap());
    assert_eq!(one.apply("loader", &seen, NOW).await, Ok(()));
    assert_eq!(other.apply("loader", &also, NOW).await, Err(NotApplied::Overtaken));
}

#[tokio::test]
async fn pods_that_are_coming_up_are_left_alone() {
    let server = Server::new().await;
    let table: [(&str, fn(&mut Value)); 8] = [
        ("its pods are still coming up", |it| it["status"]["observedGeneration"] = 2.into()),
        ("its pods are still coming up", |it| it["status"]["updatedReplicas"] = 1.into()),
        ("its pods are still coming up", |it| it["status"]["replicas"] = 3.into()),
        ("its pods are still coming up", |it| it["status"]["availableReplicas"] = 1.into()),
        ("its pods are still coming up", |it| it["status"] = json!({})),
        ("its roll-out is paused", |it| it["spec"]["paused"] = true.into()),
        ("it has no replicas", |it| it["spec"]["replicas"] = 0.into()),
        ("it is being deleted", |it| it["metadata"]["deletionTimestamp"] = "2026-12-01T10:00:00Z".into()),
    ];
    for (busy, change) in table {
        server.change(|object| {
            *object = deployed();
            change(object);
        });
        assert_eq!(server.remedy().look("loader").await.unwrap().busy.as_deref(), Some(busy));
    }
}

#[tokio::test]
async fn what_is_refused_is_told_and_what_is_not_known_is_not_taken_for_refused() {
    let server = Server::new().await;
    let remedy = server.remedy();
    let seen = remedy.look("loader").await.unwrap();
    let forbidden = status(403, "deployments.apps \"loader\" is forbidden: cannot patch");
    for (code, body, came) in [
        (
            403,
            forbidden,
            NotApplied::Refused("403 Forbidden: deployments.apps \"loader\" is forbidden: cannot patch".to_owned()),
        ),
        (422, String::new(), NotApplied::Refused("422 Unprocessable Entity".to_owned())),
        (429, String::new(), NotApplied::Refused("429 Too Many Requests".to_owned())),
        (409, String::new(), NotApplied::Overtaken),
        (504, String::new(), NotApplied::Unsure("504 Gateway Timeout".to_owned())),
        (500, String::new(), NotApplied::Unsure("500 Internal Server Error".to_owned())),
    ] {
        server.state.lock().unwrap().refuses = Some((code, body));
        assert_eq!(remedy.apply("loader", &seen, NOW).await, Err(came), "{code}");
    }
    let error = remedy.look("other").await.unwrap_err();
    assert_eq!(error, "404 Not Found: deployments.apps \"other\" not found");
    // Nobody is there: who asked cannot know what became of it.
    let gone = Deployments::new(&KubernetesSettings {
        namespace: Some("shop".to_owned()),
        url: Some("http://127.0.0.1:1".to_owned()),
        ..KubernetesSettings::default()
    });
    assert!(gone.look("loader").await.is_err());
    assert!(matches!(gone.apply("loader", &seen, NOW).await, Err(NotApplied::Unsure(_))));
}

#[tokio::test]
async fn an_answer_that_is_no_deployment_is_told() {
    for (body, says) in [
        ("{}", "no Deployment"),
        ("<html>", "no Deployment"),
        (r#"{"metadata":{},"spec":{"template":{}}}"#, "resourceVersion"),
    ] {
        let peer = Peer::new(move |_| answer(200, body)).await;
        let (namespace, url) = (Some("shop".to_owned()), Some(peer.url()));
        let remedy = Deployments::new(&KubernetesSettings { namespace, url, ..KubernetesSettings::default() });
        let error = remedy.look("loader").await.unwrap_err();
        assert!(error.contains(says), "{body}: {error}");
    }
}

#[tokio::test]
async fn the_namespace_is_that_of_the_account_unless_it_is_set() {
    let server = Server::new().await;
    let folder = tempfile::tempdir().unwrap();
    let namespace_file = folder.path().join("namespace");
    let remedy = Deployments { namespace: None, namespace_file: namespace_file.clone(), ..server.remedy() };
    let error = remedy.look("loader").await.unwrap_err();
    assert!(error.contains("the namespace's file") && server.peer.asked().is_empty(), "{error}");
    std::fs::write(&namespace_file, "shop\n").unwrap();
    assert!(remedy.look("loader").await.is_ok());
}
