//! Restarts Deployments by the API of Kubernetes, as `kubectl rollout restart` does: an annotation of their pods changes, and
//! so all of them are replaced, one after the other.
//!
//! The Deployment itself says when it was restarted, by whoever, and is the lease too: the change names the version that was
//! read, and the API server refuses it where another one has changed the Deployment meanwhile. So of several health-checks one
//! acts, a restart of health-check forgets nothing, and while the API server is away nobody acts.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bytes::Bytes;
use common::time::{from_millis, from_rfc3339, to_millis};
use futures_util::future::BoxFuture;
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::remedy::{NotApplied, Remedy, Seen};
use super::settings::KubernetesSettings;
use crate::probes::api::{Api, of_account, refusal};

/// When the pods were last told to restart: `kubectl` writes it too.
const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";
/// When Weir restarted it within its window, with commas between.
const HEALED_AT: &str = "weir.example.com/healed-at";
/// Who has changed it, among what the API server keeps of that.
const MANAGER: &str = "weir-health-check";
/// A Deployment has some kilobytes.
const MOST_BYTES: usize = 1 << 20;

/// Deployments, each called as its stage.
#[derive(Debug)]
pub(super) struct Deployments {
    api: Api,
    namespace: Option<String>,
    namespace_file: PathBuf,
}

#[derive(Deserialize)]
struct Deployment {
    metadata: Meta,
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Meta {
    resource_version: String,
    generation: i64,
    annotations: BTreeMap<String, String>,
    deletion_timestamp: Option<String>,
}

#[derive(Deserialize)]
struct Spec {
    /// One, where it is not said.
    replicas: Option<i64>,
    #[serde(default)]
    paused: bool,
    template: Template,
}

#[derive(Deserialize)]
struct Template {
    #[serde(default)]
    metadata: Meta,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    observed_generation: i64,
    replicas: i64,
    updated_replicas: i64,
    available_replicas: i64,
}

impl Deployments {
    pub(super) fn new(settings: &KubernetesSettings) -> Self {
        let KubernetesSettings { namespace, url, token_file, ca_file } = settings;
        let section = "health_check.healing.kubernetes";
        let api = Api::of_cluster(section, url.as_deref(), token_file.as_deref(), ca_file.as_deref());
        Self { api, namespace: namespace.clone(), namespace_file: of_account("namespace") }
    }

    async fn namespace(&self) -> Result<String, String> {
        if let Some(namespace) = &self.namespace {
            return Ok(namespace.clone());
        }
        let file = &self.namespace_file;
        let read = tokio::fs::read_to_string(file).await;
        let text = read.map_err(|error| format!("the namespace's file {} cannot be read: {error}", file.display()))?;
        Ok(text.trim().to_owned())
    }

    async fn read(&self, name: &str) -> Result<Seen, String> {
        let namespace = self.namespace().await?;
        let answer = self.api.get(&path(&namespace, name), &[], MOST_BYTES).await?;
        if !answer.status().is_success() {
            return Err(refusal(&answer));
        }
        let read: Result<Deployment, _> = serde_json::from_slice(answer.body());
        seen(read.map_err(|error| format!("the answer is no Deployment: {error}"))?)
    }

    async fn restart(&self, name: &str, seen: &Seen, now_ms: i64) -> Result<(), NotApplied> {
        let namespace = self.namespace().await.map_err(NotApplied::Refused)?;
        let at = from_millis(now_ms).to_string();
        let before = seen.applied_ms.iter().map(|at| from_millis(*at).to_string());
        let healed: Vec<_> = before.chain([at.clone()]).collect();
        let change = json!({
            "metadata": { "resourceVersion": seen.version, "annotations": { HEALED_AT: healed.join(",") } },
            "spec": { "template": { "metadata": { "annotations": { RESTARTED_AT: at } } } },
        });
        let query = [("fieldManager", MANAGER)];
        let answer = self.api.patch(&path(&namespace, name), &query, &change, MOST_BYTES).await;
        came_of(&answer.map_err(NotApplied::Unsure)?)
    }
}

fn path<'a>(namespace: &'a str, name: &'a str) -> [&'a str; 7] {
    ["apis", "apps", "v1", "namespaces", namespace, "deployments", name]
}

/// What is to be known of it. What is there and cannot be read may be of a restart a moment ago.
fn seen(deployment: Deployment) -> Result<Seen, String> {
    let Deployment { metadata, spec, status } = deployment;
    if metadata.resource_version.is_empty() {
        return Err("the answer has no resourceVersion".to_owned());
    }
    let restarted = spec.template.metadata.annotations.get(RESTARTED_AT).map(|text| (RESTARTED_AT, text.as_str()));
    let healed = metadata.annotations.get(HEALED_AT).into_iter().flat_map(|list| list.split(','));
    let times = restarted.into_iter().chain(healed.map(|text| (HEALED_AT, text)));
    let millis = |(name, text): (&str, &str)| {
        let time = from_rfc3339(text.trim()).map(|at| to_millis(&at));
        time.ok_or_else(|| format!("its annotation {name} is no time: {text:?}"))
    };
    let applied_ms = times.map(millis).collect::<Result<BTreeSet<_>, _>>()?;
    let wanted = spec.replicas.unwrap_or(1);
    let is_rolling = status.observed_generation < metadata.generation
        || status.updated_replicas < wanted
        || status.replicas > status.updated_replicas
        || status.available_replicas < wanted;
    let reasons = [
        (metadata.deletion_timestamp.is_some(), "it is being deleted"),
        (spec.paused, "its roll-out is paused"),
        (wanted == 0, "it has no replicas"),
        (is_rolling, "its pods are still coming up"),
    ];
    let busy = reasons.into_iter().find(|(is_so, _)| *is_so).map(|(_, reason)| reason.to_owned());
    Ok(Seen { applied_ms, busy, version: metadata.resource_version })
}

/// A server that had no time may have done it all the same.
fn came_of(answer: &Response<Bytes>) -> Result<(), NotApplied> {
    match answer.status() {
        status if status.is_success() => Ok(()),
        StatusCode::CONFLICT => Err(NotApplied::Overtaken),
        status if status.is_server_error() => Err(NotApplied::Unsure(refusal(answer))),
        _ => Err(NotApplied::Refused(refusal(answer))),
    }
}

impl Remedy for Deployments {
    fn name(&self) -> &'static str {
        "restart"
    }

    fn look<'a>(&'a self, target: &'a str) -> BoxFuture<'a, Result<Seen, String>> {
        Box::pin(self.read(target))
    }

    fn apply<'a>(&'a self, target: &'a str, seen: &'a Seen, now_ms: i64) -> BoxFuture<'a, Result<(), NotApplied>> {
        Box::pin(self.restart(target, seen, now_ms))
    }
}

#[cfg(test)]
#[path = "deployments_tests.rs"]
mod tests;
