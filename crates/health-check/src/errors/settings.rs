//! `[health_check.errors]`; what a setting means stands in `settings.default.toml`.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

use std::time::Duration;

use common::kinds::{Kind, Problems};
use common::units::{Count, MAX, Millis};
use serde::{Deserialize, Serialize};

use service::Secret;

use super::rate::Limits;

/// `[health_check.errors]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ErrorSettings {
    #[serde(with = "Millis::<60_000, 3_600_000>")]
    pub window_ms: u64,
    #[serde(with = "Count::<0, MAX>")]
    pub worker_warning: u64,
    #[serde(with = "Count::<0, MAX>")]
    pub worker_failing: u64,
    #[serde(with = "Count::<0, MAX>")]
    pub stage_warning: u64,
    #[serde(with = "Count::<0, MAX>")]
    pub stage_failing: u64,
    #[serde(with = "Count::<0, MAX>")]
    pub endpoint_warning: u64,
    #[serde(with = "Count::<0, MAX>")]
    pub endpoint_failing: u64,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::url")]
    pub redis_url: Option<Secret>,
}

impl ErrorSettings {
    pub fn window(&self) -> Duration {
        Duration::from_millis(self.window_ms)
    }

    pub(crate) fn limits(&self) -> Limits {
        Limits {
            worker: [self.worker_warning, self.worker_failing],
            stage: [self.stage_warning, self.stage_failing],
            endpoint: [self.endpoint_warning, self.endpoint_failing],
        }
    }

    /// Adds what is wrong to the problems of `[health_check]`.
    pub(crate) fn validate(&self, problems: &mut Problems) {
        let Limits { worker, stage, endpoint } = self.limits();
        for (name, [warning, failing]) in [("worker", worker), ("stage", stage), ("endpoint", endpoint)] {
            let problem = format!("{name}_warning is {warning}, {name}_failing is {failing}");
            let fix = "use 0 (never), or a failing value that is not below the warning value";
            problems.check(failing == 0 || warning <= failing, "errors", problem, fix);
        }
        let known = ["redis://", "valkey://", "redis+unix://", "unix://"];
        let is_redis = |url: &Secret| {
            let url = url.expose();
            known.iter().any(|scheme| url.starts_with(scheme)) && Kind::Url.problem(url).is_none()
        };
        let fix = "write redis://host:port/0";
        let ok = self.redis_url.as_ref().is_none_or(is_redis);
        problems.check(ok, "errors.redis_url", "is not the URL of a Redis", fix);
    }
}
