//! The steps and what they have in common.

use std::collections::HashSet;
use std::path::PathBuf;

use common::kinds::Problems;
use common::units::{Bytes, Count, DAY, GIB, MAX, MIB, Millis};
use serde::{Deserialize, Serialize};

use super::EnricherSettings;
use crate::fields;

/// Stands for `enricher.processing_url`.
pub const PROCESSING: &str = "processing";

/// `[enricher.lookups]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupSettings {
    #[serde(with = "Millis::<1, 600_000>")]
    pub timeout_ms: u64,
    #[serde(with = "Count::<1, 10_000>")]
    pub batch: usize,
    #[serde(with = "Count::<0, 100_000_000>")]
    pub cache_entries: usize,
    #[serde(with = "Bytes::<0, MAX>")]
    pub cache_bytes: usize,
    #[serde(with = "Millis::<0, DAY>")]
    pub cache_ttl_ms: u64,
    #[serde(with = "Millis::<0, DAY>")]
    pub negative_ttl_ms: u64,
    #[serde(with = "Count::<1, 1_000_000>")]
    pub circuit_failures: u32,
    #[serde(with = "Millis::<1, DAY>")]
    pub circuit_open_ms: u64,
    #[serde(with = "Count::<1, 10_000>")]
    pub max_attributes: usize,
    #[serde(with = "Bytes::<1, MIB>")]
    pub max_attribute_bytes: usize,
    #[serde(with = "Bytes::<1024, GIB>")]
    pub max_message_bytes: usize,
}

/// `[enricher.reference]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceSettings {
    #[serde(with = "Millis::<1, MAX>")]
    pub check_interval_ms: u64,
    #[serde(with = "Bytes::<1, MAX>")]
    pub max_bytes: u64,
    #[serde(with = "Count::<1, MAX>")]
    pub max_rows: usize,
    #[serde(with = "Count::<1, MAX>")]
    pub max_attributes: usize,
    #[serde(with = "Bytes::<1, MAX>")]
    pub max_attribute_bytes: usize,
}

/// What a step does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepType {
    /// Asks a service.
    Lookup,
    /// Reads a file.
    Reference,
    /// Looks at the text.
    Derive,
}

/// One of `[[enricher.steps]]`. What does not belong to its type must not be set.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepSettings {
    /// What its attributes begin with.
    pub name: String,
    /// What it does.
    pub r#type: StepType,
    /// Whether activities wait for it.
    #[serde(default)]
    pub required: bool,
    /// Look-up: the service.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::url")]
    pub url: Option<String>,
    /// Look-up: what is looked up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lookup: Option<String>,
    /// Look-up and reference: fields of the activity.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub key: Vec<String>,
    /// Reference: the file.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::made_file")]
    pub path: Option<PathBuf>,
    /// Reference: the columns of the key.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub columns: Vec<String>,
    /// Reference: the columns that become attributes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<String>,
    #[serde(with = "Millis::<1, 600_000>", default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    #[serde(with = "Count::<1, 10_000>", default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    #[serde(with = "Count::<0, 100_000_000>", default, skip_serializing_if = "Option::is_none")]
    pub cache_entries: Option<usize>,
    #[serde(with = "Bytes::<0, MAX>", default, skip_serializing_if = "Option::is_none")]
    pub cache_bytes: Option<usize>,
    #[serde(with = "Millis::<0, DAY>", default, skip_serializing_if = "Option::is_none")]
    pub cache_ttl_ms: Option<u64>,
    #[serde(with = "Millis::<0, DAY>", default, skip_serializing_if = "Option::is_none")]
    pub negative_ttl_ms: Option<u64>,
    #[serde(with = "Count::<1, 1_000_000>", default, skip_serializing_if = "Option::is_none")]
    pub circuit_failures: Option<u32>,
    #[serde(with = "Millis::<1, DAY>", default, skip_serializing_if = "Option::is_none")]
    pub circuit_open_ms: Option<u64>,
}

impl StepSettings {
    /// What holds for this look-up.
    pub fn lookup_settings(&self, all: &LookupSettings) -> LookupSettings {
        LookupSettings {
            timeout_ms: self.timeout_ms.unwrap_or(all.timeout_ms),
            batch: self.batch.unwrap_or(all.batch),
            cache_entries: self.cache_entries.unwrap_or(all.cache_entries),
            cache_bytes: self.cache_bytes.unwrap_or(all.cache_bytes),
            cache_ttl_ms: self.cache_ttl_ms.unwrap_or(all.cache_ttl_ms),
            negative_ttl_ms: self.negative_ttl_ms.unwrap_or(all.negative_ttl_ms),
            circuit_failures: self.circuit_failures.unwrap_or(all.circuit_failures),
            circuit_open_ms: self.circuit_open_ms.unwrap_or(all.circuit_open_ms),
            ..all.clone()
        }
    }

    /// The fields of the key; those that do not exist are left out, and told by [`validate`].
    pub fn fields(&self) -> Vec<fields::Field> {
        self.key.iter().filter_map(|name| fields::by_name(name)).collect()
    }

    /// Keys that are set.
    fn set(&self) -> Vec<&'static str> {
        let of_lookups = [
            ("timeout_ms", self.timeout_ms.is_some()),
            ("batch", self.batch.is_some()),
            ("cache_entries", self.cache_entries.is_some()),
            ("cache_bytes", self.cache_bytes.is_some()),
            ("cache_ttl_ms", self.cache_ttl_ms.is_some()),
            ("negative_ttl_ms", self.negative_ttl_ms.is_some()),
            ("circuit_failures", self.circuit_failures.is_some()),
            ("circuit_open_ms", self.circuit_open_ms.is_some()),
        ];
        let others = [
            ("url", self.url.is_some()),
            ("lookup", self.lookup.is_some()),
            ("key", !self.key.is_empty()),
            ("path", self.path.is_some()),
            ("columns", !self.columns.is_empty()),
            ("attributes", !self.attributes.is_empty()),
        ];
        let all = others.into_iter().chain(of_lookups);
        all.filter(|(_, is_set)| *is_set).map(|(key, _)| key).collect()
    }

    fn validate(&self, at: &str, problems: &mut Problems) {
        let mut wrong = |key: &str, problem: String, fix: &str| {
            problems.check(false, &format!("{at}.{key}"), problem, fix);
        };
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        if !(1..=64).contains(&self.name.len()) || !self.name.chars().all(fits) {
            wrong(
                "name",
                format!("{:?} is not a valid name", self.name),
                "use 1 to 64 of a-z, 0-9, dash and underscore",
            );
        }
        const REFERENCE: &[&str] = &["path", "columns", "attributes"];
        let (kind, foreign): (&str, fn(&str) -> bool) = match self.r#type {
            StepType::Lookup => ("a look-up", |key| REFERENCE.contains(&key)),
            StepType::Reference => ("reference data", |key| key != "key" && !REFERENCE.contains(&key)),
            StepType::Derive => ("derive", |_| true),
        };
        for key in self.set().into_iter().filter(|key| foreign(key)) {
            wrong(key, format!("is set, but {kind} has no such setting"), "remove it");
        }
        if self.r#type == StepType::Derive {
            if self.required {
                wrong("required", "is set, but derive cannot fail".to_owned(), "remove it");
            }
            return;
        }
        if self.key.is_empty() {
            wrong("key", "is missing".to_owned(), &format!("name some of {}", fields::names()));
        }
        for name in self.key.iter().filter(|name| fields::by_name(name).is_none()) {
            wrong("key", format!("{name:?} is not a field"), &format!("use some of {}", fields::names()));
        }
        match (self.r#type, &self.url, &self.path) {
            (StepType::Lookup, None, _) => wrong("url", "is missing".to_owned(), "write http://host:port"),
            (StepType::Lookup, Some(url), _) if url != PROCESSING && !is_address(url) => {
                let problem = format!("{url:?} is not the address of a service");
                wrong("url", problem, "write http://host:port or https://host:port, or \"processing\"");
            }
            (StepType::Reference, _, None) => wrong("path", "is missing".to_owned(), "name a .csv or .parquet file"),
            (StepType::Reference, _, Some(path)) => {
                let extension = path.extension().and_then(|extension| extension.to_str());
                if !matches!(extension, Some("csv" | "parquet")) {
                    let problem = format!("{} is neither .csv nor .parquet", path.display());
                    wrong("path", problem, "the ending of the name selects the format: use .csv or .parquet");
                }
            }
            _ => {}
        }
        if !self.columns.is_empty() && self.columns.len() != self.key.len() {
            let problem = format!("names {} columns for {} fields", self.columns.len(), self.key.len());
            wrong("columns", problem, "name one column for each field of key");
        }
    }
}

fn is_address(url: &str) -> bool {
    let known = |scheme: Option<&str>| matches!(scheme, Some("http" | "https"));
    url.parse::<tonic::codegen::http::Uri>().is_ok_and(|uri| known(uri.scheme_str()) && uri.host().is_some())
}

/// What is wrong with the steps and with what they have in common.
pub(super) fn validate(settings: &EnricherSettings, problems: &mut Problems) {
    let mut names = HashSet::new();
    let url = &settings.processing_url;
    let is_none = format!("{url:?} is not the address of a service");
    problems.check(is_address(url), "processing_url", is_none, "write http://host:port");
    for (n, step) in settings.steps.iter().enumerate() {
        let at = format!("steps[{n}]");
        step.validate(&at, problems);
        let twice = format!("{:?} is already the name of another step", step.name);
        problems.check(names.insert(&step.name), &format!("{at}.name"), twice, "give each step its own name");
    }
}
