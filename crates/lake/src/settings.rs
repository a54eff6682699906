//! The settings of the lake; what they mean stands in `settings.default.toml`.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

use std::path::PathBuf;

use common::kinds::{Problem, Problems, root_problem};
use common::units::Millis;
use serde::{Deserialize, Serialize};

/// The settings of the lake, as TOML with comments.
pub const DEFAULTS: &str = include_str!("../settings.default.toml");

/// `[lake]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LakeSettings {
    #[serde(serialize_with = "common::kinds::root")]
    pub root: String,
    #[serde(serialize_with = "common::kinds::url")]
    pub s3_endpoint: String,
    pub s3_region: String,
    pub s3_access_key_id: String,
    #[serde(serialize_with = "common::kinds::secret_file")]
    pub s3_secret_access_key_file: PathBuf,
    pub s3_allow_http: bool,
    pub s3_path_style: bool,
    #[serde(with = "Millis::<100, 600_000>")]
    pub s3_request_timeout_ms: u64,
    #[serde(with = "Millis::<100, 600_000>")]
    pub s3_retry_timeout_ms: u64,
}

/// Where the lake is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Root<'a> {
    /// A folder.
    Folder(PathBuf),
    /// A bucket of an S3-compatible store.
    Bucket {
        /// Its name.
        bucket: &'a str,
        /// What all paths begin with; may be empty.
        prefix: &'a str,
    },
}

impl LakeSettings {
    pub(crate) fn parsed_root(&self) -> Root<'_> {
        let Some(rest) = self.root.strip_prefix("s3://") else {
            return Root::Folder(PathBuf::from(self.root.strip_prefix("file://").unwrap_or(&self.root)));
        };
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        Root::Bucket { bucket, prefix: prefix.trim_matches('/') }
    }

    /// What is wrong, although every value has the right type and range.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Problems::of("lake");
        if let Some((problem, fix)) = root_problem(&self.root) {
            problems.check(false, "root", problem, fix);
        }
        if let Root::Bucket { bucket, .. } = self.parsed_root() {
            let names_none = format!("{:?} names no bucket", self.root);
            problems.check(!bucket.is_empty(), "root", names_none, "use s3://bucket/prefix");
            problems.check(
                !self.s3_region.is_empty(),
                "s3_region",
                "is empty",
                "use the region of the bucket, or us-east-1",
            );
        }
        let endpoint = &self.s3_endpoint;
        let (http, https) = (endpoint.starts_with("http://"), endpoint.starts_with("https://"));
        let no_url = format!("{endpoint:?} is not an https URL");
        problems.check(endpoint.is_empty() || http || https, "s3_endpoint", no_url.as_str(), "use https://host:port");
        problems.check(
            !http || self.s3_allow_http,
            "s3_endpoint",
            no_url,
            "use https, or set lake.s3_allow_http if the network path to it can be trusted",
        );
        problems.check(
            self.s3_access_key_id.is_empty() == self.s3_secret_access_key_file.as_os_str().is_empty(),
            "s3_secret_access_key_file",
            "must be set together with lake.s3_access_key_id",
            "set both or neither",
        );
        problems.into_vec()
    }
}
