//! The list of pods, and what it says of their containers.

use serde::Deserialize;

/// The pod's own id, as another pod may have its name later, and the name of the container.
pub(super) type Id = (String, String);

/// A container of which there is a log.
#[derive(Debug, PartialEq)]
pub(super) struct Container {
    pub(super) id: Id,
    pub(super) pod: String,
    pub(super) restarts: u64,
    /// It has ended.
    pub(super) is_terminated: bool,
    /// It has ended, and will be started again.
    pub(super) is_waiting: bool,
}

impl Container {
    pub(super) fn name(&self) -> String {
        format!("{}/{}", self.pod, self.id.1)
    }
}

#[derive(Deserialize)]
struct List {
    #[serde(default)]
    metadata: ListMeta,
    items: Vec<Pod>,
}

#[derive(Default, Deserialize)]
struct ListMeta {
    #[serde(default, rename = "continue")]
    rest: String,
}

#[derive(Deserialize)]
struct Pod {
    metadata: Meta,
    #[serde(default)]
    status: PodStatus,
}

#[derive(Deserialize)]
struct Meta {
    name: String,
    uid: String,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct PodStatus {
    container_statuses: Vec<ContainerStatus>,
    init_container_statuses: Vec<ContainerStatus>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    name: String,
    #[serde(default)]
    restart_count: u64,
    #[serde(default)]
    state: ContainerState,
    #[serde(default)]
    last_state: ContainerState,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ContainerState {
    waiting: Option<Waiting>,
    running: Option<serde::de::IgnoredAny>,
    terminated: Option<serde::de::IgnoredAny>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Waiting {
    reason: String,
}

/// The containers in an answer that have been started, of this name if there is one.
pub(super) fn containers(body: &[u8], only: Option<&str>) -> Result<Vec<Container>, String> {
    let list: List = serde_json::from_slice(body).map_err(|error| format!("the answer is no list of pods: {error}"))?;
    if list.items.is_empty() {
        return Err("there is no such pod".to_owned());
    }
    if !list.metadata.rest.is_empty() {
        return Err(format!("there are more than {} such pods: choose fewer", list.items.len()));
    }
    let (mut all, mut waits) = (Vec::new(), None);
    for Pod { metadata: Meta { name: pod, uid }, status } in list.items {
        let statuses = status.init_container_statuses.into_iter().chain(status.container_statuses);
        for ContainerStatus { name, restart_count: restarts, state, last_state } in statuses {
            if only.is_some_and(|only| only != name) {
                continue;
            }
            let (is_terminated, is_waiting) = (state.terminated.is_some(), state.waiting.is_some());
            let id = (uid.clone(), name);
            let container = Container { id, pod: pod.clone(), restarts, is_terminated, is_waiting };
            if is_terminated || state.running.is_some() || last_state.terminated.is_some() || restarts > 0 {
                all.push(container);
            } else {
                let reason = state.waiting.map(|waiting| waiting.reason).filter(|reason| !reason.is_empty());
                waits = Some(format!("{} {}", container.name(), reason.as_deref().unwrap_or("waits")));
            }
        }
    }
    match (all.is_empty(), waits, only) {
        (false, ..) => Ok(all),
        (true, Some(waits), _) => Err(format!("no container has been started: {waits}")),
        (true, None, Some(only)) => Err(format!("no pod has a container {only}")),
        (true, None, None) => Err("no container has been started".to_owned()),
    }
}

#[cfg(test)]
#[path = "pods_tests.rs"]
mod tests;
