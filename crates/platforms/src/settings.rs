//! The settings of platforms; what they mean stands in `settings.default.toml`.

#![allow(missing_docs, reason = "what a setting means stands in settings.default.toml, once")]

use std::collections::BTreeSet;
use std::time::Duration;

use common::kinds::{Problem, Problems};
use common::units::{Count, MAX, Millis};
use serde::{Deserialize, Serialize};
use service::outbound::{Network, Reach};
use service::{Secret, Uri};

/// The settings of platforms, as TOML with comments.
pub const DEFAULTS: &str = include_str!("../settings.default.toml");

/// Pages of one endpoint: each is a call.
const MOST_PAGES: usize = 100;

/// `[platforms]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformsSettings {
    pub endpoints: Vec<PlatformEndpointSettings>,
    #[serde(with = "Millis::<100, 600_000>")]
    pub timeout_ms: u64,
    #[serde(serialize_with = "common::kinds::url")]
    pub meta_url: String,
    #[serde(serialize_with = "common::kinds::url")]
    pub github_url: String,
    #[serde(deserialize_with = "common::kinds::list")]
    pub allow_networks: Vec<String>,
}

/// `[[platforms.endpoints]]`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlatformEndpointSettings {
    pub name: String,
    #[serde(serialize_with = "common::kinds::url", default, skip_serializing_if = "Option::is_none")]
    pub callback_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meta: Option<MetaSettings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github: Option<GitHubSettings>,
}

/// `meta`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaSettings {
    pub app_id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_token: Option<Secret>,
    #[serde(default = "page")]
    pub object: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pages: Vec<MetaPageSettings>,
}

/// One of `pages`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetaPageSettings {
    pub id: String,
    pub token: Secret,
    pub fields: Vec<String>,
}

/// `github`
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitHubSettings {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub organization: Option<String>,
    #[serde(with = "Count::<1, MAX>")]
    pub hook: u64,
    pub token: Secret,
}

fn page() -> String {
    "page".to_owned()
}

impl PlatformsSettings {
    /// For one look, and for one call.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }

    /// Where platforms may be.
    #[must_use]
    pub fn reach(&self) -> Reach {
        // That they are networks was found when the settings were loaded.
        Reach::Public(self.allow_networks.iter().filter_map(|text| text.parse::<Network>().ok()).collect())
    }

    /// What is wrong, although every value has the right type and range.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Problems::of("platforms");
        for (key, text) in [("meta_url", &self.meta_url), ("github_url", &self.github_url)] {
            problems.check(is_url(text), key, format!("{text:?} is not a URL"), "write https://host/path");
            let is_safe = !self.allow_networks.is_empty() || !is_url(text) || scheme(text).as_deref() == Some("https");
            let fix = "write https://, or name its network in platforms.allow_networks";
            problems.check(is_safe, key, "tokens would go over the internet in the clear", fix);
        }
        for text in &self.allow_networks {
            let is_network = text.parse::<Network>().is_ok();
            let problem = format!("{text:?} is not a network");
            problems.check(is_network, "allow_networks", problem, "write 10.0.0.0/8 or fd00::/8");
        }
        let mut names = BTreeSet::new();
        for (n, endpoint) in self.endpoints.iter().enumerate() {
            let problem = format!("{:?} is empty, or there twice", endpoint.name);
            let is_new = !endpoint.name.is_empty() && names.insert(&endpoint.name);
            problems.check(is_new, &format!("endpoints[{n}].name"), problem, "write the name of an endpoint, once");
            endpoint.validate(n, &mut problems);
        }
        problems.into_vec()
    }
}

impl PlatformEndpointSettings {
    fn validate(&self, n: usize, problems: &mut Problems) {
        let Self { name: _, callback_url, meta, github } = self;
        let mut check = |ok: bool, key: &str, problem: &str, fix: &str| {
            problems.check(ok, &format!("endpoints[{n}].{key}"), problem, fix);
        };
        check(meta.is_some() != github.is_some(), "name", "is at no platform, or at several", "set meta or github");
        if let Some(text) = callback_url {
            check(is_url(text), "callback_url", &format!("{text:?} is not a URL"), "write https://host/path");
        }
        if let Some(meta) = meta {
            meta.validate(&mut check);
        }
        if let Some(github) = github {
            github.validate(&mut check);
        }
    }
}

impl MetaSettings {
    fn validate(&self, check: &mut impl FnMut(bool, &str, &str, &str)) {
        let problem = format!("{:?} is not the id of an app", self.app_id);
        check(is_number(&self.app_id), "meta.app_id", &problem, "write the number that the app's dashboard shows");
        let problem = format!("{:?} is not an object of the Graph API", self.object);
        check(is_word(&self.object), "meta.object", &problem, "write page, instagram or another object");
        let can_ask = self.app_token.is_some() || !self.pages.is_empty();
        check(can_ask, "meta.app_token", "is not there, and no pages are: nothing can be asked", "set one of them");
        let problem = format!("are {}", self.pages.len());
        check(self.pages.len() <= MOST_PAGES, "meta.pages", &problem, "name at most 100; the app's token asks for all");
        let mut ids = BTreeSet::new();
        for (at, page) in self.pages.iter().enumerate() {
            let problem = format!("{:?} is not the id of a page, or is there twice", page.id);
            let is_new = is_number(&page.id) && ids.insert(&page.id);
            check(is_new, &format!("meta.pages[{at}].id"), &problem, "write the number of the page, once");
            let are_fields = !page.fields.is_empty() && page.fields.iter().all(|field| is_word(field));
            let problem = format!("{:?} names no field, or something else", page.fields);
            let fix = "write what the page is subscribed to, as [\"feed\", \"mention\"]";
            check(are_fields, &format!("meta.pages[{at}].fields"), &problem, fix);
        }
    }
}

impl GitHubSettings {
    fn validate(&self, check: &mut impl FnMut(bool, &str, &str, &str)) {
        let Self { repository, organization, hook: _, token: _ } = self;
        let is_one = repository.is_some() != organization.is_some();
        check(is_one, "github.repository", "is not there, or organization is too", "set one of them");
        if let Some(text) = repository {
            let is_pair = text.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name));
            check(is_pair, "github.repository", &format!("{text:?} is not a repository"), "write owner/name");
        }
        if let Some(text) = organization {
            let problem = format!("{text:?} is not an organization");
            check(is_name(text), "github.organization", &problem, "write its name, as in the URL of its page");
        }
    }

    /// Where its hooks are, as parts of a path.
    pub(crate) fn hooks(&self) -> Vec<&str> {
        let repository = self.repository.iter().flat_map(|both| ["repos"].into_iter().chain(both.split('/')));
        let organization = self.organization.iter().flat_map(|name| ["orgs", name.as_str()]);
        repository.chain(organization).chain(["hooks"]).collect()
    }
}

fn is_number(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_word(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Of an owner or a repository. A path of dots would lead elsewhere.
fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (1..=100).contains(&text.len()) && text.chars().all(fits) && text.chars().any(|c| c != '.')
}

fn scheme(text: &str) -> Option<String> {
    text.parse::<Uri>().ok().filter(|uri| uri.host().is_some())?.scheme_str().map(str::to_owned)
}

fn is_url(text: &str) -> bool {
    matches!(scheme(text).as_deref(), Some("http" | "https"))
}

#[cfg(test)]
#[path = "settings_tests.rs"]
pub(crate) mod tests;
