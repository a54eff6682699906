//! `[health_check.healing]`; what a setting means stands in `settings.default.toml`.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

use std::path::PathBuf;

use common::kinds::Problems;
use common::units::{Count, DAY, Millis};
use http::Uri;
use serde::{Deserialize, Serialize};

use super::policy::Pacing;
use crate::stage::{PROBES, has_a_queue};

const WEEK: u64 = 7 * DAY;

/// `[health_check.healing]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealingSettings {
    pub enabled: bool,
    pub dry_run: bool,
    #[serde(deserialize_with = "common::kinds::list")]
    pub stages: Vec<String>,
    #[serde(with = "Millis::<60_000, DAY>")]
    pub after_ms: u64,
    #[serde(with = "Millis::<60_000, DAY>")]
    pub pause_ms: u64,
    #[serde(with = "Millis::<0, DAY>")]
    pub jitter_ms: u64,
    #[serde(with = "Count::<1, 10>")]
    pub most: u32,
    #[serde(with = "Millis::<60_000, WEEK>")]
    pub window_ms: u64,
    pub kubernetes: KubernetesSettings,
}

/// `[health_check.healing.kubernetes]`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KubernetesSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::url")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::secret_file")]
    pub token_file: Option<PathBuf>,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::ca_file")]
    pub ca_file: Option<PathBuf>,
}

impl HealingSettings {
    /// As the policy takes them.
    pub(crate) fn pacing(&self) -> Pacing {
        let millis = |millis: u64| i64::try_from(millis).unwrap_or(i64::MAX);
        Pacing {
            after_ms: millis(self.after_ms),
            pause_ms: millis(self.pause_ms),
            jitter_ms: millis(self.jitter_ms),
            window_ms: millis(self.window_ms),
            most: self.most as usize,
        }
    }

    /// Adds what is wrong to the problems of `[health_check]`.
    pub(crate) fn validate(&self, problems: &mut Problems) {
        let fits = |name: &String| {
            let of_a_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            (1..=63).contains(&name.len()) && name.chars().all(of_a_name) && name != "health-check" && has_a_queue(name)
        };
        for (n, stage) in self.stages.iter().enumerate() {
            let problem = format!("{stage:?} is not a stage that can be restarted");
            let fix = format!(
                "name stages that consume, as \"loader\": never \"streaming\", \"health-check\" or \"{PROBES}\""
            );
            problems.check(fits(stage), "healing.stages", problem, &fix);
            let is_new = !self.stages[..n].contains(stage);
            problems.check(is_new, "healing.stages", format!("{stage:?} is there twice"), "name each stage once");
        }
        let is_short = self.jitter_ms <= self.pause_ms;
        let problem = format!("is longer than pause_ms ({} ms)", self.pause_ms);
        problems.check(is_short, "healing.jitter_ms", problem, "use at most pause_ms");
        // The pauses before the last of them, each twice the one before.
        let needed = (1..self.most).fold(1, |pauses: u64, _| pauses * 2).saturating_mul(self.pause_ms);
        let problem =
            format!("is too short: with these pauses `most` are never applied within it, which takes {needed} ms");
        problems.check(
            self.window_ms >= needed,
            "healing.window_ms",
            problem,
            "raise window_ms, or lower pause_ms or most",
        );
        let KubernetesSettings { namespace, url, .. } = &self.kubernetes;
        let is_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let is_name = |name: &String| (1..=63).contains(&name.len()) && name.chars().all(is_label);
        let ok = namespace.as_ref().is_none_or(is_name);
        let fix = "name the namespace of the Deployments, or leave it out: it is that of health-check";
        problems.check(ok, "healing.kubernetes.namespace", "is not the name of a namespace", fix);
        let known = |uri: Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
        let ok = url.as_ref().is_none_or(|url| url.parse::<Uri>().is_ok_and(known));
        problems.check(
            ok,
            "healing.kubernetes.url",
            "is not a URL with http:// or https://",
            "write https://host:port",
        );
    }

    /// What is wrong where health-check asks the services of these names, each a process of its own.
    pub(crate) fn validate_stages(&self, services: &[&str], problems: &mut Problems) {
        for stage in self.stages.iter().filter(|_| self.enabled) {
            let problem = format!("{stage:?} is not the name of a service that health-check asks");
            let is_asked = services.contains(&stage.as_str());
            problems.check(is_asked, "healing.stages", problem, "name services of health_check.services");
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
