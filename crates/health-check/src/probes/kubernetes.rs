//! The logs of containers, as the API of Kubernetes gives them. They are followed as files are.
//!
//! A log is read from its end backwards, until the line comes that was read last: so no clock says what is new. Of each
//! container only the file that its instance writes now can be read, and that of the instance before. Where what was read
//! last is in neither, lines are missing, and nothing is known of them for as long as they would count.

mod pods;
mod tail;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Found;
use super::api::{Api, refusal};
use super::lines::Lines;
use super::settings::{LogSettings, PodLogSettings};
use pods::{Container, Id};
use tail::Tail;

/// More pods are not followed: each is asked for by itself.
const MOST_PODS: &str = "100";
/// They take some kilobytes each.
const MOST_BYTES: usize = 8 * 1024 * 1024;

/// The logs of some pods.
#[derive(Debug)]
pub(super) struct Kubernetes {
    api: Api,
    settings: PodLogSettings,
    within: Duration,
    lines: Lines,
    /// None: the pods were never listed. What those of the first list have written until then does not count.
    tails: Option<HashMap<Id, Tail>>,
    /// When lines were missed, and why.
    missed: Option<(Instant, String)>,
}

impl Kubernetes {
    pub(super) fn new(settings: &PodLogSettings, log: &LogSettings, within: Duration) -> Self {
        let PodLogSettings { url, token_file, ca_file, .. } = settings;
        let section = "health_check.probes.log.kubernetes";
        let api = Api::of_cluster(section, url.as_deref(), token_file.as_deref(), ca_file.as_deref());
        let lines = Lines::new(log, within);
        Self { api, settings: settings.clone(), within, lines, tails: None, missed: None }
    }

    /// Reads what has come since the last look. No container is begun after `takes`: the next look begins with those.
    pub(super) async fn look(&mut self, now: Instant, takes: Duration) -> Found {
        self.lines.begin(now);
        match self.read(now, takes).await {
            Ok(missing) => self.lines.found(missing, now),
            Err(error) => Found::failing(error),
        }
    }

    /// What was not read.
    async fn read(&mut self, now: Instant, takes: Duration) -> Result<Option<String>, String> {
        let begun = Instant::now();
        let containers = self.list().await?;
        let late = |it: &Container| (it.id.clone(), Tail::late(it.name()));
        let tails = self.tails.get_or_insert_with(|| containers.iter().map(late).collect());
        tails.retain(|id, tail| {
            let is_there = containers.iter().any(|container| container.id == *id);
            if !is_there && !tail.is_over() {
                self.missed = Some((now, format!("{} is gone, with the lines that it wrote last", tail.name())));
            }
            is_there
        });
        // Those first that have waited for longest.
        let mut waiting: Vec<&Container> = containers.iter().collect();
        waiting.sort_by_key(|container| tails.get(&container.id).and_then(Tail::read_at));
        let (mut left, mut wrong) = (0, None);
        for (n, container) in waiting.iter().enumerate() {
            if n > 0 && begun.elapsed() >= takes {
                left = waiting.len() - n;
                break;
            }
            let tail = tails.entry(container.id.clone()).or_insert_with(|| Tail::new(container.name()));
            let mut line = |line: &[u8]| self.lines.add(line, now);
            match tail.follow(&self.api, &self.settings.namespace, container, now, &mut line).await {
                Ok(None) => {}
                Ok(Some(reason)) => self.missed = Some((now, format!("{}: {reason}", container.name()))),
                Err(error) => wrong = Some(format!("cannot read the log of {}: {error}", container.name())),
            }
        }
        if let Some(wrong) = wrong {
            return Err(wrong);
        }
        if left > 0 {
            let all = waiting.len();
            let message = format!("{left} of {all} containers are not read after {takes:?}");
            return Ok(Some(format!("{message}: give the probe a larger timeout_ms")));
        }
        let within = self.within;
        let missed = self.missed.as_ref().filter(|(at, _)| now.saturating_duration_since(*at) < within);
        Ok(missed.map(|(_, reason)| format!("lines of the last {within:?} are missing: {reason}")))
    }

    /// Those whose logs can be read.
    async fn list(&self) -> Result<Vec<Container>, String> {
        let PodLogSettings { namespace, selector, container, .. } = &self.settings;
        let query = [("labelSelector", selector.as_str()), ("limit", MOST_PODS)];
        let path = ["api", "v1", "namespaces", namespace, "pods"];
        let answer = self.api.get(&path, &query, MOST_BYTES).await;
        let answer = answer.map_err(|error| format!("cannot list the pods of {namespace}: {error}"))?;
        if !answer.status().is_success() {
            return Err(format!("cannot list the pods of {namespace}: {}", refusal(&answer)));
        }
        pods::containers(answer.body(), container.as_deref())
            .map_err(|problem| format!("{problem} (labels {selector} in namespace {namespace})"))
    }
}

#[cfg(test)]
#[path = "kubernetes_tests.rs"]
mod tests;
