//! Alerts of code scanning, secret scanning and Dependabot.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1 as proto;

use super::advisories::advisory;
use super::objects::{In, branch, named, numbered, page, person, thing};
use super::{about, first, said, text, words};
use crate::kind::Kind;

const CODE_SCANNING: &str = "code-scanning";
const SECRET_SCANNING: &str = "secret-scanning";
const DEPENDABOT: &str = "dependabot";

/// An alert is found and settled, and may come back.
fn alert_verb(action: &str) -> Verb {
    match action {
        "created" => Verb::Open,
        "fixed" | "closed_by_user" | "resolved" | "revoked" | "dismissed" | "auto_dismissed" => Verb::Close,
        "reopened" | "reopened_by_user" | "auto_reopened" | "reintroduced" => Verb::Reopen,
        _ => Verb::Update,
    }
}

/// The alert of a scanner with that number. Each scanner counts its own, so the id says whose number it is.
fn alert(place: In<'_>, scanner: &str, number: Option<i64>, url: Option<&String>) -> Object {
    let path = number.map(|number| format!("{scanner}/{number}"));
    let derived = path.as_ref().map(|path| page(place, &format!("security/{path}")));
    Object {
        url: url.cloned().or(derived).unwrap_or_default(),
        number,
        ..thing(&format!("{}_alert", scanner.replace('-', "_")), path.map(|path| named(place, &path)).as_ref())
    }
}

/// The rule of a tool: two tools may call theirs by one name.
fn rule(sent: &proto::CodeScanningRule, tool: &Option<proto::CodeScanningTool>) -> Object {
    let name = first([&sent.id, &sent.name]);
    let id = match tool.as_ref().and_then(|tool| tool.name.as_ref()) {
        Some(tool) => format!("{tool}:{name}"),
        None => name.clone(),
    };
    Object { url: text(sent.help_uri.as_ref()), title: name, ..thing("rule", Some(&id)) }
}

impl Kind for proto::CodeScanningAlert {
    key!("code_scanning_alert", "alert.number");

    times! {
        "created" => "alert.created_at" "alert.updated_at",
        "fixed" => "alert.fixed_at" "alert.updated_at",
        "closed_by_user" => "alert.dismissed_at" "alert.updated_at",
        _ => "alert.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.alert else { return Vec::new() };
        let verb = alert_verb(said(&self.action));
        let broken = sent.rule.as_ref();
        let object = Object {
            title: broken.map(|rule| first([&rule.description, &rule.id])).unwrap_or_default(),
            status: text(sent.state.as_ref()),
            ..alert(&self.repository, CODE_SCANNING, sent.number, sent.html_url.as_ref())
        };
        let found = sent.most_recent_instance.as_ref().or(sent.instances.first());
        vec![Activity {
            instrument: broken.map(|broken| rule(broken, &sent.tool)),
            text: match verb {
                Verb::Close => words(sent.dismissed_comment.as_ref()),
                _ => words(found.and_then(|found| found.message.as_ref()?.text.as_ref())),
            },
            branch: self.r#ref.as_deref().and_then(branch).unwrap_or_default().to_owned(),
            commit: text(self.commit_oid.as_ref()),
            ..about(&self.sender, &self.repository, verb, object)
        }]
    }
}

fn secret_alert(sent: &proto::SecretScanningAlertInfo, place: In<'_>) -> Object {
    let state = if sent.resolution.is_some() { "resolved" } else { "open" };
    Object {
        title: first([&sent.secret_type_display_name, &sent.secret_type]),
        status: sent.state.clone().unwrap_or_else(|| state.to_owned()),
        ..alert(place, SECRET_SCANNING, sent.number, sent.html_url.as_ref())
    }
}

impl Kind for proto::SecretScanningAlert {
    key!("secret_scanning_alert", "alert.number");

    times! {
        "created" => "alert.created_at" "alert.updated_at",
        "resolved" | "revoked" => "alert.resolved_at" "alert.updated_at",
        _ => "alert.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.alert else { return Vec::new() };
        let verb = alert_verb(said(&self.action));
        let secret = || {
            let title = first([&sent.secret_type_display_name, &sent.secret_type]);
            Some(Object { title, ..thing("secret_type", Some(sent.secret_type.as_ref()?)) })
        };
        vec![Activity {
            instrument: self.assignee.as_ref().map(person).or_else(secret),
            text: words(sent.resolution_comment.as_ref().filter(|_| verb == Verb::Close)),
            ..about(&self.sender, &self.repository, verb, secret_alert(sent, &self.repository))
        }]
    }
}

/// Where a secret was found: the file, or what somebody wrote it into.
fn place_of(sent: &proto::SecretLocation, place: In<'_>) -> Object {
    let word = text(sent.r#type.as_ref());
    let Some(at) = &sent.details else { return thing(&word, None) };
    let by_number = |kind: &str, address: &Option<String>| {
        let number = last_part(address).and_then(|last| last.parse().ok());
        Object { number, ..thing(kind, Some(&numbered(place, number, None))) }
    };
    let by_id = |kind: &str, address: &Option<String>| thing(kind, last_part(address).as_ref());
    match word.as_str() {
        "commit" => {
            let (path, commit) = (text(at.path.as_ref()), text(at.commit_sha.as_ref()));
            let line = at.start_line.map_or_else(String::new, |line| format!("#L{line}"));
            let url = page(place, &format!("blob/{commit}/{path}{line}"));
            Object { url, title: path.clone(), ..thing("file", Some(&named(place, &path))) }
        }
        "issue_title" => by_number("issue", &at.issue_title_url),
        "issue_body" => by_number("issue", &at.issue_body_url),
        "pull_request_title" => by_number("pull_request", &at.pull_request_title_url),
        "pull_request_body" => by_number("pull_request", &at.pull_request_body_url),
        "issue_comment" => by_id("comment", &at.issue_comment_url),
        "pull_request_comment" => by_id("comment", &at.pull_request_comment_url),
        "pull_request_review" => by_id("review", &at.pull_request_review_url),
        "pull_request_review_comment" => by_id("review_comment", &at.pull_request_review_comment_url),
        // Of a discussion its page is sent, and not its id.
        _ => {
            let pages = [&at.page_url, &at.discussion_title_url, &at.discussion_body_url, &at.discussion_comment_url];
            let url = pages.into_iter().find_map(Option::as_ref);
            Object { url: text(url), title: text(at.path.as_ref()), ..thing(&word, None) }
        }
    }
}

/// `17` of `…/issues/17`.
fn last_part(address: &Option<String>) -> Option<String> {
    address.as_ref()?.rsplit('/').next().map(str::to_owned)
}

impl Kind for proto::SecretScanningAlertLocation {
    key!("secret_scanning_alert", "alert.number");

    /// The alert has one place more. GitHub does not say when that was found.
    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.alert else { return Vec::new() };
        let details = self.location.as_ref().and_then(|location| location.details.as_ref());
        vec![Activity {
            instrument: self.location.as_ref().map(|location| place_of(location, &self.repository)),
            commit: text(details.and_then(|details| details.commit_sha.as_ref())),
            ..about(&self.sender, &self.repository, Verb::Update, secret_alert(sent, &self.repository))
        }]
    }
}

impl Kind for proto::DependabotAlert {
    key!("dependabot_alert", "alert.number");

    times! {
        "created" => "alert.created_at" "alert.updated_at",
        "fixed" => "alert.fixed_at" "alert.updated_at",
        "dismissed" => "alert.dismissed_at" "alert.updated_at",
        "auto_dismissed" => "alert.auto_dismissed_at" "alert.updated_at",
        _ => "alert.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.alert else { return Vec::new() };
        let verb = alert_verb(said(&self.action));
        let object = Object {
            title: text(sent.security_advisory.as_ref().and_then(|advisory| advisory.summary.as_ref())),
            status: text(sent.state.as_ref()),
            ..alert(&self.repository, DEPENDABOT, sent.number, sent.html_url.as_ref())
        };
        vec![Activity {
            instrument: sent.security_advisory.as_ref().map(advisory),
            text: words(sent.dismissed_comment.as_ref().filter(|_| verb == Verb::Close)),
            ..about(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::RepositoryVulnerabilityAlert {
    key!("dependabot_alert", "alert.number");

    times! {
        "create" => "alert.created_at",
        "dismiss" => "alert.dismissed_at",
        "resolve" => "alert.fixed_at",
    }

    /// GitHub tells of an alert of Dependabot as `dependabot_alert` and, to those that still ask for it, in this older form
    /// too: who counts alerts counts each once.
    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.alert else { return Vec::new() };
        let object = alert(&self.repository, DEPENDABOT, sent.number, None);
        let object = Object {
            // Before alerts had numbers.
            id: if object.id.is_empty() { text(sent.id.as_ref()) } else { object.id },
            title: text(sent.affected_package_name.as_ref()),
            status: text(sent.state.as_ref()),
            ..object
        };
        let known = sent.ghsa_id.as_ref().map(|id| Object {
            title: text(sent.external_identifier.as_ref()),
            ..thing("security_advisory", Some(id))
        });
        vec![Activity { instrument: known, ..about(&self.sender, &self.repository, Verb::Other, object) }]
    }
}
