//! What is known about vulnerabilities.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1 as proto;
use common::json;

use super::objects::{matter, thing};
use super::{activity, at, said, text, written};
use crate::kind::Kind;

/// An advisory of GitHub's own database. Its page is one of those where one can read more.
pub(super) fn advisory(sent: &proto::SecurityAdvisoryInfo) -> Object {
    let mut links = sent.references.iter().filter_map(|reference| reference.url.as_ref());
    let end = format!("/advisories/{}", sent.ghsa_id.as_deref().unwrap_or_default());
    let page = links.find(|link| link.ends_with(&end));
    Object {
        url: text(page),
        title: text(sent.summary.as_ref()),
        status: if sent.withdrawn_at.is_some() { "withdrawn" } else { "published" }.to_owned(),
        ..thing("security_advisory", sent.ghsa_id.as_ref())
    }
}

impl Kind for proto::SecurityAdvisory {
    /// It is nobody's, so its key is without an account.
    fn subject(sent: &json::Object, _account: &str) -> Option<String> {
        Some(format!("security_advisory/{}", at(sent, "security_advisory.ghsa_id")?.as_str()?))
    }

    times! {
        "published" => "security_advisory.published_at" "security_advisory.updated_at",
        "withdrawn" => "security_advisory.withdrawn_at" "security_advisory.updated_at",
        _ => "security_advisory.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.security_advisory else { return Vec::new() };
        let verb = match said(&self.action) {
            "published" => Verb::Post,
            "updated" => Verb::Edit,
            "withdrawn" => Verb::Close,
            _ => Verb::Update,
        };
        vec![Activity {
            text: written(verb, sent.description.as_ref()),
            links: sent.references.iter().filter_map(|reference| reference.url.clone()).collect(),
            ..activity(&self.sender, &self.repository, verb, advisory(sent))
        }]
    }
}

impl Kind for proto::RepositoryAdvisory {
    key!("repository_advisory", "repository_advisory.ghsa_id");

    times! {
        "published" => "repository_advisory.published_at" "repository_advisory.updated_at",
        "reported" => "repository_advisory.created_at" "repository_advisory.updated_at",
        _ => "repository_advisory.updated_at",
    }

    /// What somebody reports is a matter for the owners, until they publish it.
    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.repository_advisory else { return Vec::new() };
        let verb = match said(&self.action) {
            "published" => Verb::Post,
            "reported" => Verb::Open,
            _ => Verb::Update,
        };
        let id = text(sent.ghsa_id.as_ref());
        let object = Object {
            status: text(sent.state.as_ref()),
            ..matter("repository_advisory", id, [&sent.html_url, &sent.summary], &sent.author, None)
        };
        vec![Activity {
            text: written(verb, sent.description.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}
