//! `[health_check.volume]`

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

use std::path::PathBuf;

use common::kinds::Problems;
use common::units::{Count, Share};
use serde::{Deserialize, Serialize};

use super::mine::Rules;

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VolumeSettings {
    pub enabled: bool,
    #[serde(with = "Count::<1, 5>")]
    pub min_weeks: u32,
    #[serde(with = "Count::<1, 5>")]
    pub min_samples: u32,
    #[serde(with = "Share::<0, 500>")]
    pub quantile: f64,
    #[serde(with = "Share::<0, 1000>")]
    pub low: f64,
    #[serde(with = "Share::<0, 1_000_000>")]
    pub high: f64,
    #[serde(with = "Count::<1, 1_000_000>")]
    pub floor: u32,
    #[serde(with = "Count::<0, 1_000_000>")]
    pub silence: u32,
    #[serde(with = "Count::<0, 5000>")]
    pub endpoints: u32,
    #[serde(deserialize_with = "common::kinds::list")]
    pub ignore: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::made_file")]
    pub file: Option<PathBuf>,
}

impl VolumeSettings {
    /// As the miner takes them.
    #[must_use]
    pub fn rules(&self) -> Rules {
        Rules {
            weeks: self.min_weeks,
            samples: self.min_samples as usize,
            quantile: self.quantile,
            low: self.low,
            high: self.high,
            floor: self.floor,
            silence: self.silence,
        }
    }

    pub(crate) fn validate(&self, problems: &mut Problems) {
        let problem = format!("high is {}: less than usual would be called high", self.high);
        problems.check(self.high == 0.0 || self.high >= 1.0, "volume", problem, "use 0 (never), or 1 and more");
        let problem = format!("silence is {}: chance alone makes such pauses", self.silence);
        problems.check(self.silence == 0 || self.silence >= 10, "volume", problem, "use 0 (never), or 10 and more");
    }
}
