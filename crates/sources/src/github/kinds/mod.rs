//! GitHub's kinds of events: each is declared once, beside those of its matter, and listed here.
//!
//! The sender is the actor; what an action means is told by one table for each kind, and an action that is not in it is
//! an update: GitHub adds some every year. An event without the object that it should be about makes no activity.

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::github::v1::{self as proto, IssueInfo, PullRequestInfo, RepositoryInfo, TeamInfo, UserInfo};
use common::json::{self, Value};
use common::time::{from_rfc3339, from_seconds};

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

mod ci;
mod code;
mod issues;
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
    Issues IssueComment Label Milestone Discussion DiscussionComment
    PullRequest PullRequestReview PullRequestReviewComment PullRequestReviewThread
    Ping Repository Public Fork Star Watch RepositoryDispatch Release Package Member Membership Organization
    Team TeamAdd Installation InstallationRepositories
}

/// The key of an event, `<account>/<what>/<id>`, with the id at this path. Events of one matter share it, so that an
/// issue and its comments, or a run and its jobs, stay in order within their topic.
fn key(sent: &json::Object, account: &str, what: &str, path: &str) -> Option<String> {
    match at(sent, path)? {
        Value::String(id) => Some(format!("{account}/{what}/{id}")),
        Value::Number(id) => Some(format!("{account}/{what}/{id}")),
        _ => None,
    }
}

/// When it happened: the first of these members that is there, by the action. Where the payload has no time that belongs
/// to what was done, it is missing: the time at which a comment was last changed is not the time at which it was deleted.
fn time(sent: &json::Object, places: fn(&str) -> &'static [&'static str]) -> Time {
    let places: &[&str] = match sent.get("action").and_then(Value::as_str).unwrap_or_default() {
        // What is gone has no time of its going.
        "deleted" | "removed" => &[],
        action => places(action),
    };
    // RFC 3339, or seconds since 1970.
    let time = match places.iter().find_map(|path| at(sent, path)) {
        None => return Time::default(),
        Some(Value::String(text)) => from_rfc3339(text),
        Some(Value::Number(number)) => number.as_i64().map(from_seconds),
        Some(_) => None,
    };
    time.map_or_else(Time::unreadable, Time::at)
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

/// An action, empty where there is none.
fn said(action: &Option<String>) -> &str {
    action.as_deref().unwrap_or_default()
}

/// Words, where there are some.
fn words(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty()).cloned()
}

fn text(text: Option<&String>) -> String {
    text.cloned().unwrap_or_default()
}

fn actor(user: &UserInfo) -> Actor {
    Actor {
        id: text(user.id.as_ref()),
        name: text(user.name.as_ref()),
        handle: text(user.login.as_ref()),
        r#type: text(user.r#type.as_ref()).to_lowercase(),
    }
}

/// A person as the object of what is done to them.
fn person(user: &UserInfo, status: &str) -> Object {
    let actor = actor(user);
    Object {
        r#type: "user".to_owned(),
        id: actor.id,
        url: text(user.html_url.as_ref()),
        title: actor.handle,
        status: status.to_owned(),
        author: None,
    }
}

fn repository(repository: &RepositoryInfo) -> Object {
    Object {
        r#type: "repository".to_owned(),
        id: text(repository.id.as_ref()),
        url: text(repository.html_url.as_ref()),
        title: text(repository.full_name.as_ref().or(repository.name.as_ref())),
        status: String::new(),
        author: None,
    }
}

fn team(team: &TeamInfo) -> Object {
    Object {
        r#type: "team".to_owned(),
        id: text(team.id.as_ref()),
        url: text(team.html_url.as_ref()),
        title: text(team.name.as_ref()),
        status: String::new(),
        author: None,
    }
}

/// An issue; a pull request where it is one.
fn issue(issue: &IssueInfo) -> Object {
    Object {
        r#type: if issue.pull_request.is_some() { "pull_request" } else { "issue" }.to_owned(),
        id: text(issue.id.as_ref()),
        url: text(issue.html_url.as_ref()),
        title: text(issue.title.as_ref()),
        status: text(issue.state.as_ref()),
        author: issue.user.as_ref().map(actor),
    }
}

fn pull_request(pull_request: &PullRequestInfo) -> Object {
    let merged = pull_request.merged == Some(true) || pull_request.merged_at.is_some();
    Object {
        r#type: "pull_request".to_owned(),
        id: text(pull_request.id.as_ref()),
        url: text(pull_request.html_url.as_ref()),
        title: text(pull_request.title.as_ref()),
        status: if merged { "merged".to_owned() } else { text(pull_request.state.as_ref()) },
        author: pull_request.user.as_ref().map(actor),
    }
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
mod tests;
#[cfg(test)]
mod times_tests;
