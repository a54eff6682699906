//! The steps and what they have in common.

use std::collections::HashSet;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use service::Problem;

use super::EnricherSettings;
use crate::fields;

/// Stands for `enricher.processing_url`.
pub const PROCESSING: &str = "processing";

/// `[enricher.lookups]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupSettings {
    /// Time for all calls of one batch.
    pub timeout_ms: u64,
    /// Keys of one call.
    pub batch: usize,
    /// Keys remembered.
    pub cache_entries: usize,
    /// Bytes of keys and answers remembered.
    pub cache_bytes: usize,
    /// How long an answer is remembered.
    pub cache_ttl_ms: u64,
    /// How long it is remembered that a key is not known.
    pub negative_ttl_ms: u64,
    /// Failures in a row that open the circuit.
    pub circuit_failures: u32,
    /// How long it stays open.
    pub circuit_open_ms: u64,
    /// Attributes of one answer.
    pub max_attributes: usize,
    /// Bytes of one answer's attributes.
    pub max_attribute_bytes: usize,
    /// Bytes of one message.
    pub max_message_bytes: usize,
}

/// `[enricher.reference]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReferenceSettings {
    /// Time between two looks at the files.
    pub check_interval_ms: u64,
    /// The largest file.
    pub max_bytes: u64,
    /// The most rows.
    pub max_rows: usize,
    /// Attributes of one row.
    pub max_attributes: usize,
    /// Bytes of one row's attributes.
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
    /// As in [`LookupSettings`], for this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// As in [`LookupSettings`], for this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<usize>,
    /// As in [`LookupSettings`], for this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_entries: Option<usize>,
    /// As in [`LookupSettings`], for this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_bytes: Option<usize>,
    /// As in [`LookupSettings`], for this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_ttl_ms: Option<u64>,
    /// As in [`LookupSettings`], for this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub negative_ttl_ms: Option<u64>,
    /// As in [`LookupSettings`], for this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub circuit_failures: Option<u32>,
    /// As in [`LookupSettings`], for this step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
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

    fn validate(&self, at: &str, problems: &mut Vec<Problem>) {
        let mut wrong = |key: &str, problem: String, fix: &str| {
            problems.push(Problem::new(format!("{at}.{key}"), problem, fix));
        };
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
        if !(1..=64).contains(&self.name.len()) || !self.name.chars().all(fits) {
            wrong("name", format!("is {:?}", self.name), "use 1 to 64 of a-z, 0-9, dash and underscore");
        }
        const REFERENCE: &[&str] = &["path", "columns", "attributes"];
        let (kind, foreign): (&str, fn(&str) -> bool) = match self.r#type {
            StepType::Lookup => ("a look-up", |key| REFERENCE.contains(&key)),
            StepType::Reference => ("reference data", |key| key != "key" && !REFERENCE.contains(&key)),
            StepType::Derive => ("derive", |_| true),
        };
        for key in self.set().into_iter().filter(|key| foreign(key)) {
            wrong(key, format!("is set, and {kind} has no such setting"), "take it out");
        }
        if self.r#type == StepType::Derive {
            if self.required {
                wrong("required", "is set, and derive cannot fail".to_owned(), "take it out");
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
                    wrong("path", problem, "the name tells how the file is read: end it with .csv or .parquet");
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
pub(super) fn validate(settings: &EnricherSettings) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut names = HashSet::new();
    if !is_address(&settings.processing_url) {
        let problem = format!("{:?} is not the address of a service", settings.processing_url);
        problems.push(Problem::new("enricher.processing_url", problem, "write http://host:port"));
    }
    let (common, reference) = (&settings.lookups, &settings.reference);
    check_lookup("enricher.lookups", common, &mut problems);
    let positive = [
        ("check_interval_ms", reference.check_interval_ms),
        ("max_bytes", reference.max_bytes),
        ("max_rows", reference.max_rows as u64),
        ("max_attributes", reference.max_attributes as u64),
        ("max_attribute_bytes", reference.max_attribute_bytes as u64),
    ];
    for (key, _) in positive.into_iter().filter(|(_, value)| *value == 0) {
        problems.push(Problem::new(format!("enricher.reference.{key}"), "is 0", "use 1 or more"));
    }
    for (n, step) in settings.steps.iter().enumerate() {
        let at = format!("enricher.steps[{n}]");
        step.validate(&at, &mut problems);
        if !names.insert(&step.name) {
            let problem = format!("{:?} is another step's name too", step.name);
            problems.push(Problem::new(format!("{at}.name"), problem, "give each step its own name"));
        }
        if step.r#type == StepType::Lookup {
            let mut of_step = Vec::new();
            check_lookup(&at, &step.lookup_settings(common), &mut of_step);
            // What is wrong with all was told once.
            let set = step.set();
            problems.extend(of_step.into_iter().filter(|problem| set.iter().any(|key| problem.key.ends_with(key))));
        }
    }
    problems
}

fn check_lookup(at: &str, settings: &LookupSettings, problems: &mut Vec<Problem>) {
    let ranges = [
        ("timeout_ms", settings.timeout_ms, 1, 600_000),
        ("batch", settings.batch as u64, 1, 10_000),
        ("cache_entries", settings.cache_entries as u64, 0, 100_000_000),
        ("cache_ttl_ms", settings.cache_ttl_ms, 0, 86_400_000),
        ("negative_ttl_ms", settings.negative_ttl_ms, 0, 86_400_000),
        ("circuit_failures", u64::from(settings.circuit_failures), 1, 1_000_000),
        ("circuit_open_ms", settings.circuit_open_ms, 1, 86_400_000),
        ("max_attributes", settings.max_attributes as u64, 1, 10_000),
        ("max_attribute_bytes", settings.max_attribute_bytes as u64, 1, 1 << 20),
        ("max_message_bytes", settings.max_message_bytes as u64, 1024, 1 << 30),
    ];
    for (key, value, least, most) in ranges {
        if !(least..=most).contains(&value) {
            problems.push(Problem::new(format!("{at}.{key}"), format!("is {value}"), format!("use {least} to {most}")));
        }
    }
}
