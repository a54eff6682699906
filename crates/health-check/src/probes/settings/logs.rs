//! `log`: whose lines are looked at, and what has to be in them.

use std::path::PathBuf;

use common::units::{Count, DAY, Millis};
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use service::Secret;

use crate::probes::pattern::Pattern;

/// `log`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogSettings {
    /// The file.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::made_file")]
    pub file: Option<PathBuf>,
    /// Or all files `*.log` of a folder, as the runtime of containers writes them.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::made_file")]
    pub folder: Option<PathBuf>,
    /// Or the containers of pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<PodLogSettings>,
    /// Or streams of Loki.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loki: Option<LokiSettings>,
    /// What has to be in a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must: Option<Pattern>,
    /// What must be in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub must_not: Option<Pattern>,
    /// How recent a line is that counts.
    #[serde(with = "Millis::<1000, DAY>", default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u64>,
}

/// `kubernetes`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PodLogSettings {
    /// Where the pods are.
    pub namespace: String,
    /// The labels that they have.
    pub selector: String,
    /// Which container of each; none: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Where the API is; none: that of the cluster in which health-check runs, with its own service account.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::url")]
    pub url: Option<String>,
    /// The token, which is read anew each time.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::secret_file")]
    pub token_file: Option<PathBuf>,
    /// Whom `https` trusts.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::ca_file")]
    pub ca_file: Option<PathBuf>,
}

/// `loki`
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LokiSettings {
    /// Where it is.
    #[serde(serialize_with = "common::kinds::url")]
    pub url: String,
    /// The labels of the streams, in braces.
    pub selector: String,
    /// What Loki does with their lines before it answers.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub filter: String,
    /// The most lines that it may answer.
    #[serde(with = "Count::<1, 100_000>", default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Whose streams.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tenant: Option<String>,
    /// Who asks, with a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// Or with a token, which is read anew each time.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::secret_file")]
    pub token_file: Option<PathBuf>,
    /// Whom `https` trusts; none: the public authorities that the system knows.
    #[serde(default, skip_serializing_if = "Option::is_none", serialize_with = "common::kinds::ca_file")]
    pub ca_file: Option<PathBuf>,
}

impl LogSettings {
    /// What has to be a URL, by its key.
    pub(super) fn urls(&self) -> impl Iterator<Item = (&'static str, &String)> {
        let kubernetes = self.kubernetes.iter().filter_map(|it| it.url.as_ref()).map(|url| ("log.kubernetes.url", url));
        kubernetes.chain(self.loki.iter().map(|it| ("log.loki.url", &it.url)))
    }

    /// What is wrong: whether it holds, its key, the problem, and the fix.
    pub(super) fn validate(&self, check: &mut impl FnMut(bool, &str, String, &str)) {
        let Self { file, folder, kubernetes, loki, must, must_not, .. } = self;
        let sources = [file.is_some(), folder.is_some(), kubernetes.is_some(), loki.is_some()];
        let is_one = sources.into_iter().filter(|is_set| *is_set).count() == 1;
        let problem = "needs one source of lines, and not more".to_owned();
        check(is_one, "log", problem, "set one of log.file, log.folder, log.kubernetes and log.loki");
        let has_some = must.is_some() || must_not.is_some();
        check(has_some, "log", "looks for nothing".to_owned(), "set log.must, log.must_not or both");
        if let Some(PodLogSettings { namespace, selector, .. }) = kubernetes {
            let is_name = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let is_label = (1..=63).contains(&namespace.len()) && namespace.chars().all(is_name);
            let problem = format!("{namespace:?} is not the name of a namespace");
            check(is_label, "log.kubernetes.namespace", problem, "name the namespace of the pods");
            let problem = "is empty, which are all pods of the namespace".to_owned();
            let fix = "write labels of the pods, as \"app=shop\"";
            check(!selector.trim().is_empty(), "log.kubernetes.selector", problem, fix);
        }
        if let Some(loki) = loki {
            let LokiSettings { selector, tenant, user, password, token_file, .. } = loki;
            let inside = selector.trim().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            let is_selector = inside.is_some_and(|labels| !labels.trim().is_empty());
            let fix = "write only labels, as '{app=\"shop\"}', and what follows them into log.loki.filter";
            check(is_selector, "log.loki.selector", format!("{selector:?} is no selector of streams"), fix);
            let is_header = tenant.as_ref().is_none_or(|tenant| HeaderValue::from_str(tenant).is_ok());
            check(is_header, "log.loki.tenant", "cannot stand in a header".to_owned(), "use letters and digits");
            let is_pair = user.is_some() == password.is_some();
            let fix = "set log.loki.user and log.loki.password, or neither";
            check(is_pair, "log.loki.user", "needs a password, and a password a user".to_owned(), fix);
            let is_one = user.is_none() || token_file.is_none();
            let problem = "is set beside a user with a password".to_owned();
            check(is_one, "log.loki.token_file", problem, "set one of the two");
        }
    }
}
