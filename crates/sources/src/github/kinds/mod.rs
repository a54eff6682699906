//! GitHub's kinds of events: each is declared once, beside those of its matter, and listed here.
//!
//! The sender is the actor; what an action means is told by one table for each kind, and an action that is not in it is
//! an update: GitHub adds some every year. An event without the object that it should be about makes no activity.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1::{self as proto, RepositoryInfo, UserInfo};
use common::json::{self, Value};

use self::objects::{actor, repository};
use crate::entry::Entry;
use crate::kind::Time;

/// The key of a kind: a word, and the path of the id (see [`key`]).
macro_rules! key {
    ($what:literal, $path:literal) => {
        fn subject(sent: &common::json::Object, account: &str) -> Option<String> {
            super::key(sent, account, $what, $path)
        }
    };
}

/// The times of a kind: for each action the paths that may hold it, the best first (see [`time`]).
macro_rules! times {
    ($($action:pat => $($path:literal)+,)+) => {
        fn time(sent: &common::json::Object) -> crate::kind::Time {
            super::time(sent, |action| match action {
                $($action => &[$($path),+],)+
                #[allow(unreachable_patterns, reason = "most kinds have a time for every action")]
                _ => &[],
            })
        }
    };
}

mod access;
mod advisories;
mod alerts;
mod ci;
mod code;
mod issues;
mod objects;
mod projects;
mod properties;
mod protection;
mod pull_requests;
mod repository;

/// The kind of that name, as `X-GitHub-Event` sends it.
pub(super) fn named(name: &str) -> Option<&'static Entry> {
    KINDS.iter().find(|kind| kind.names.contains(&name))
}

macro_rules! kinds {
    ($($message:ident)+) => {
        /// Every kind that has a message of its own.
        pub(super) static KINDS: &[Entry] = &[$(Entry::typed::<proto::$message>()),+];
    };
}

kinds! {
    WorkflowRun WorkflowJob WorkflowDispatch CheckRun CheckSuite Deployment DeploymentStatus PageBuild
    Push Create Delete CommitComment Status Gollum MergeGroup
    Issues SubIssues IssueComment Label Milestone Discussion DiscussionComment
    PullRequest PullRequestReview PullRequestReviewComment PullRequestReviewThread
    Ping Repository Public Fork Star Watch RepositoryDispatch Release Package Member Membership Organization
    Team TeamAdd Installation InstallationRepositories
    CodeScanningAlert SecretScanningAlert SecretScanningAlertLocation DependabotAlert RepositoryVulnerabilityAlert
    SecurityAdvisory RepositoryAdvisory
    ProjectsV2 ProjectsV2Item ProjectsV2StatusUpdate
    BranchProtectionRule DeploymentReview DeploymentProtectionRule
    DeployKey OrgBlock CustomProperty CustomPropertyValues
}

/// Activities of one event with a list, each item of which is one: of a longer list the event has the rest. GitHub sends a few.
const MOST: usize = 5000;

/// The key of an event, `<account>/<what>/<id>`, with the id at this path. Events of one matter share it, so that an
/// issue and its comments, or a run and its jobs, stay in order within their topic.
fn key(sent: &json::Object, account: &str, what: &str, path: &str) -> Option<String> {
    match at(sent, path)? {
        Value::String(id) => Some(format!("{account}/{what}/{id}")),
        Value::Number(id) => Some(format!("{account}/{what}/{id}")),
        _ => None,
    }
}

/// When it happened: what stands in these members, the best first, by the action. Where the payload has no time that belongs
/// to what was done, it is missing: the time at which a comment was last changed is not the time at which it was deleted.
fn time(sent: &json::Object, places: fn(&str) -> &'static [&'static str]) -> Time {
    let places: &[&str] = match sent.get("action").and_then(Value::as_str).unwrap_or_default() {
        // What is gone has no time of its going.
        "deleted" | "removed" => &[],
        action => places(action),
    };
    Time::of(places.iter().map(|path| at(sent, path)))
}

/// A member by its path; `None` where it is null.
fn at<'a>(sent: &'a json::Object, path: &str) -> Option<&'a Value> {
    let mut names = path.split('.');
    let first = sent.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name)).filter(|value| !value.is_null())
}

/// An activity of the sender's, in the repository.
fn activity(sender: &Option<UserInfo>, place: &Option<RepositoryInfo>, verb: Verb, object: Object) -> Activity {
    Activity {
        actor: sender.as_ref().map(actor),
        verb: verb.into(),
        object: Some(object),
        target: place.as_ref().map(repository),
        ..Activity::default()
    }
}

/// The same of what has a conversation of its own: an issue, a pull request, a discussion.
fn about(sender: &Option<UserInfo>, place: &Option<RepositoryInfo>, verb: Verb, object: Object) -> Activity {
    Activity { thread: Some(object.clone()), ..activity(sender, place, verb, object) }
}

/// The same of what is said in the conversation about it, to its root or to something else that was said.
fn within(
    sender: &Option<UserInfo>,
    verb: Verb,
    object: Object,
    answered: Option<Object>,
    thread: Option<Object>,
) -> Activity {
    Activity { target: answered.or_else(|| thread.clone()), thread, ..activity(sender, &None, verb, object) }
}

/// An action, empty where there is none.
fn said(action: &Option<String>) -> &str {
    action.as_deref().unwrap_or_default()
}

/// Words, where there are some.
fn words(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

/// What a value that a user chose says to people: of an option its name. `None` where there is no value.
fn shown(sent: Option<&String>) -> Option<String> {
    fn of(value: &Value) -> Option<String> {
        match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            Value::Array(items) => Some(items.iter().filter_map(of).collect::<Vec<_>>().join(", ")),
            Value::Object(option) => of(option.get("name").or_else(|| option.get("title"))?),
            other => Some(other.to_string()),
        }
    }
    of(&json::parse(sent?).ok()?).filter(|text| !text.is_empty())
}

fn text(text: Option<&String>) -> String {
    text.cloned().unwrap_or_default()
}

/// The first of them that says something: GitHub sends names that are empty beside others that are not.
fn first<const N: usize>(texts: [&Option<String>; N]) -> String {
    texts.into_iter().flatten().find(|text| !text.is_empty()).cloned().unwrap_or_default()
}

/// The verb of what is done to a comment.
fn comment_verb(action: &str) -> Verb {
    match action {
        "created" => Verb::Comment,
        "edited" => Verb::Edit,
        "deleted" => Verb::Delete,
        _ => Verb::Update,
    }
}

/// The verb of what is done to a thing that is opened and closed.
fn matter_verb(action: &str) -> Verb {
    match action {
        "opened" | "created" => Verb::Open,
        "closed" => Verb::Close,
        "reopened" => Verb::Reopen,
        "edited" => Verb::Edit,
        "deleted" => Verb::Delete,
        _ => Verb::Update,
    }
}

/// The verb of what is done to a thing that is simply there.
fn thing_verb(action: &str) -> Verb {
    match action {
        "created" => Verb::Post,
        "edited" => Verb::Edit,
        "deleted" => Verb::Delete,
        _ => Verb::Update,
    }
}

/// The words belong to what is done only when they are written by it.
fn written(verb: Verb, body: Option<&String>) -> Option<String> {
    match verb {
        Verb::Open | Verb::Post | Verb::Comment | Verb::Review | Verb::Edit => words(body),
        _ => None,
    }
}

#[cfg(test)]
mod activities_tests;
#[cfg(test)]
mod alerts_tests;
#[cfg(test)]
mod projects_tests;
#[cfg(test)]
mod protection_tests;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod times_tests;
