//! The settings of the lake; what they mean stands in `settings.default.toml`.

use std::path::PathBuf;

use common::kinds::root_problem;
use serde::{Deserialize, Serialize};

/// The settings of the lake, as TOML with comments.
pub const DEFAULTS: &str = include_str!("../settings.default.toml");

/// `[lake]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LakeSettings {
    /// A folder, or `s3://bucket/prefix`.
    #[serde(serialize_with = "common::kinds::root")]
    pub root: String,
    /// The address of an S3-compatible store; empty: Amazon's.
    #[serde(serialize_with = "common::kinds::url")]
    pub s3_endpoint: String,
    /// The region.
    pub s3_region: String,
    /// The access key; empty: as the environment says.
    pub s3_access_key_id: String,
    /// A file with the secret of the access key.
    #[serde(serialize_with = "common::kinds::secret_file")]
    pub s3_secret_access_key_file: PathBuf,
    /// Whether an endpoint may be plain http.
    pub s3_allow_http: bool,
    /// Whether the bucket stands in the path.
    pub s3_path_style: bool,
    /// Time for one request.
    pub s3_request_timeout_ms: u64,
    /// Time for all attempts at one request.
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

    /// What is wrong, although every value has the right type: the key and the problem with its fix.
    pub fn validate(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut check = |ok: bool, key: &str, problem: String| {
            if !ok {
                problems.push((format!("lake.{key}"), problem));
            }
        };
        if let Some((problem, fix)) = root_problem(&self.root) {
            check(false, "root", format!("{problem}; {fix}"));
        }
        if let Root::Bucket { bucket, .. } = self.parsed_root() {
            check(!bucket.is_empty(), "root", format!("{:?} names no bucket; use s3://bucket/prefix", self.root));
            check(!self.s3_region.is_empty(), "s3_region", "is empty; use the bucket's, or us-east-1".to_owned());
        }
        let endpoint = &self.s3_endpoint;
        let (http, https) = (endpoint.starts_with("http://"), endpoint.starts_with("https://"));
        check(endpoint.is_empty() || http || https, "s3_endpoint", format!("is {endpoint:?}; use https://host:port"));
        check(
            !http || self.s3_allow_http,
            "s3_endpoint",
            format!("is {endpoint:?}; use https, or set lake.s3_allow_http where the way to it can be trusted"),
        );
        check(
            self.s3_access_key_id.is_empty() == self.s3_secret_access_key_file.as_os_str().is_empty(),
            "s3_secret_access_key_file",
            "goes with lake.s3_access_key_id; give both or neither".to_owned(),
        );
        for (key, value) in
            [("s3_request_timeout_ms", self.s3_request_timeout_ms), ("s3_retry_timeout_ms", self.s3_retry_timeout_ms)]
        {
            check((100..=600_000).contains(&value), key, format!("is {value}; use 100 to 600000"));
        }
        problems
    }
}
