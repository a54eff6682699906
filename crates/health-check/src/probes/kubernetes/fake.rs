//! A cluster as its API shows it: pods that write, restart and go, and nodes that keep two files of each container.

use std::sync::{Arc, Mutex, MutexGuard};

use common::time::from_millis;
use http::Response;
use serde_json::json;

use crate::probes::peer::{Asked, Peer, answer};

#[derive(Default)]
pub(super) struct Cluster {
    pub(super) pods: Vec<FakePod>,
    /// What is answered in place of a list, and of a log.
    pub(super) refuses_list: Option<(u16, String)>,
    pub(super) refuses_log: Option<(u16, String)>,
    /// Lines and pods that ever were: the times and ids of the next.
    written: i64,
}

pub(super) struct FakePod {
    pub(super) name: String,
    pub(super) uid: String,
    pub(super) restarts: u64,
    /// `running`, `waiting` or `terminated`.
    pub(super) state: &'static str,
    /// Lines as a node has them, with their times.
    log: Vec<String>,
    previous: Option<Vec<String>>,
    /// Whether a line of this instance was read.
    was_read: bool,
}

pub(super) struct Api {
    pub(super) peer: Peer,
    cluster: Arc<Mutex<Cluster>>,
}

impl Api {
    pub(super) async fn new() -> Self {
        let cluster: Arc<Mutex<Cluster>> = Arc::default();
        let asked = Arc::clone(&cluster);
        let peer = Peer::new(move |request| asked.lock().unwrap().answer(request)).await;
        Self { peer, cluster }
    }

    pub(super) fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap()
    }
}

impl Cluster {
    pub(super) fn add(&mut self, name: &str) {
        self.written += 1;
        let uid = format!("{name}-{}", self.written);
        let (name, log) = (name.to_owned(), Vec::new());
        let (restarts, state, previous, was_read) = (0, "running", None, false);
        self.pods.push(FakePod { name, uid, restarts, state, log, previous, was_read });
    }

    pub(super) fn pod(&mut self, name: &str) -> &mut FakePod {
        self.pods.iter_mut().find(|pod| pod.name == name).unwrap()
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.pods.retain(|pod| pod.name != name);
    }

    /// Whoever waits is started for it.
    pub(super) fn write(&mut self, name: &str, text: &str) {
        self.written += 1;
        if self.pod(name).state == "waiting" {
            self.pod(name).restart();
        }
        let line = format!("{} {text}", from_millis(1_796_000_000_000 + self.written));
        self.pod(name).log.push(line);
    }

    fn answer(&mut self, asked: &Asked) -> Response<String> {
        let is_list = asked.path == "/api/v1/namespaces/shop/pods";
        if let Some((status, body)) = if is_list { &self.refuses_list } else { &self.refuses_log } {
            return answer(*status, body);
        }
        if is_list {
            assert_eq!((asked.query["labelSelector"].as_str(), asked.query["limit"].as_str()), ("app=shop", "100"));
            let items: Vec<_> = self.pods.iter().map(FakePod::status).collect();
            let list =
                json!({"kind": "PodList", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items});
            return answer(200, list.to_string());
        }
        let name = asked.path.strip_prefix("/api/v1/namespaces/shop/pods/").and_then(|rest| rest.strip_suffix("/log"));
        let Some(pod) = self.pods.iter_mut().find(|pod| Some(pod.name.as_str()) == name) else {
            return answer(404, status(404, "NotFound", "pods \"shop\" not found"));
        };
        let is_previous = asked.query["previous"] == "true";
        pod.was_read |= !is_previous && !pod.log.is_empty();
        let log = if is_previous { pod.previous.as_ref() } else { Some(&pod.log) };
        let Some(log) = log else {
            let message = format!("previous terminated container \"web\" in pod \"{}\" not found", pod.name);
            return answer(400, status(400, "BadRequest", &message));
        };
        assert_eq!((asked.query["container"].as_str(), asked.query["timestamps"].as_str()), ("web", "true"));
        let lines: usize = asked.query["tailLines"].parse().unwrap();
        let mut body: String = log[log.len().saturating_sub(lines)..].iter().map(|line| format!("{line}\n")).collect();
        body.truncate(asked.query["limitBytes"].parse().unwrap());
        answer(200, body)
    }
}

/// What the API server answers where it does not do it.
pub(super) fn status(code: u16, reason: &str, message: &str) -> String {
    json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message,
        "reason": reason, "code": code})
    .to_string()
}

impl FakePod {
    /// Its process ends, and another one begins.
    pub(super) fn restart(&mut self) {
        self.state = "running";
        self.restarts += 1;
        self.previous = Some(std::mem::take(&mut self.log));
        self.was_read = false;
    }

    /// The node begins another file, as it does after 10 MiB: something of them was read before.
    pub(super) fn rotate(&mut self) {
        if self.was_read {
            self.log.clear();
        }
    }

    /// Its process has ended, and waits for its next start.
    pub(super) fn crash(&mut self) {
        self.state = "waiting";
        self.previous = Some(self.log.clone());
    }

    fn status(&self) -> serde_json::Value {
        let state = match self.state {
            "running" => json!({"running": {"startedAt": "2026-12-01T03:00:00Z"}}),
            "terminated" => json!({"terminated": {"exitCode": 0, "reason": "Completed"}}),
            _ => json!({"waiting": {"reason": "CrashLoopBackOff"}}),
        };
        let last = if self.previous.is_some() { json!({"terminated": {"exitCode": 1}}) } else { json!({}) };
        json!({"metadata": {"name": self.name, "uid": self.uid, "namespace": "shop"}, "status": {"phase": "Running",
            "containerStatuses": [{"name": "web", "restartCount": self.restarts, "state": state, "lastState": last}]}})
    }
}
