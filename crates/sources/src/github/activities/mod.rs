//! GitHub's events in the one common form. The sender is the actor; what an action means is told by one
//! table for each kind, and an action that is not in it is an update: GitHub adds some every year.
//! An event without the object that it should be about makes no activity.

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::github::v1::{self as proto, IssueInfo, PullRequestInfo, RepositoryInfo, TeamInfo, UserInfo};

mod ci;
mod code;
mod issues;
mod pull_requests;
mod repository;

/// What a typed event says in the one common form.
pub(super) trait Normalise: common::event::Event {
    /// Activities, to be completed with id, context and time.
    fn activities(&self) -> Vec<Activity>;
}

/// What is alike in all of GitHub's events.
trait Common {
    fn action(&self) -> &str;
    fn sender(&self) -> Option<&UserInfo>;
    fn repository(&self) -> Option<&RepositoryInfo>;
}

macro_rules! common {
    (with_action: $($with:ident)+; without: $($without:ident)+;) => {
        $(impl Common for proto::$with {
            fn action(&self) -> &str { self.action.as_deref().unwrap_or_default() }
            fn sender(&self) -> Option<&UserInfo> { self.sender.as_ref() }
            fn repository(&self) -> Option<&RepositoryInfo> { self.repository.as_ref() }
        })+
        $(impl Common for proto::$without {
            fn action(&self) -> &str { "" }
            fn sender(&self) -> Option<&UserInfo> { self.sender.as_ref() }
            fn repository(&self) -> Option<&RepositoryInfo> { self.repository.as_ref() }
        })+
    };
}

common! {
    with_action: CheckRun CheckSuite CommitComment Deployment DeploymentStatus Discussion DiscussionComment
        Installation InstallationRepositories IssueComment Issues Label Member Membership MergeGroup Milestone
        Organization Package PullRequest PullRequestReview PullRequestReviewComment PullRequestReviewThread
        Release Repository RepositoryDispatch Star Team Watch WorkflowJob WorkflowRun;
    without: Create Delete Fork Gollum PageBuild Public Push Status TeamAdd WorkflowDispatch;
}

/// An activity of the sender's, in the repository.
fn activity(event: &impl Common, verb: Verb, object: Object) -> Activity {
    Activity {
        actor: event.sender().map(actor),
        verb: verb.into(),
        object: Some(object),
        target: event.repository().map(repository),
        ..Activity::default()
    }
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
#[path = "../activities_tests.rs"]
mod tests;
