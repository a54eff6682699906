//! Which message a kind of event has, and what an event is about.

use common::github::v1 as proto;
use common::json::{self, Object, Value};
use common::raw::v1::Delivery;

use super::activities::Normalise;
use super::times::at;
use crate::{Draft, Event, Tenants};

/// Every kind that has a message of its own.
macro_rules! kinds {
    ($($name:literal => $message:ident,)+) => {
        /// The names of the kinds that are typed, as `X-GitHub-Event` sends them.
        #[cfg(test)]
        pub(super) const TYPED: &[&str] = &[$($name),+];

        /// The typed event; gives the draft back where the kind has no message.
        pub(super) fn parse(
            kind: &str,
            draft: Draft,
            delivery: &Delivery,
            tenants: &dyn Tenants,
            object: Object,
        ) -> Result<Event, Box<Draft>> {
            match kind {
                $($name => Ok(typed::<proto::$message>(draft, delivery, tenants, object)),)+
                _ => Err(Box::new(draft)),
            }
        }
    };
}

kinds! {
    "check_run" => CheckRun,
    "check_suite" => CheckSuite,
    "commit_comment" => CommitComment,
    "create" => Create,
    "delete" => Delete,
    "deployment" => Deployment,
    "deployment_status" => DeploymentStatus,
    "discussion" => Discussion,
    "discussion_comment" => DiscussionComment,
    "fork" => Fork,
    "gollum" => Gollum,
    "installation" => Installation,
    "installation_repositories" => InstallationRepositories,
    "issue_comment" => IssueComment,
    "issues" => Issues,
    "label" => Label,
    "member" => Member,
    "membership" => Membership,
    "merge_group" => MergeGroup,
    "milestone" => Milestone,
    "organization" => Organization,
    "package" => Package,
    "page_build" => PageBuild,
    "ping" => Ping,
    "public" => Public,
    "pull_request" => PullRequest,
    "pull_request_review" => PullRequestReview,
    "pull_request_review_comment" => PullRequestReviewComment,
    "pull_request_review_thread" => PullRequestReviewThread,
    "push" => Push,
    "release" => Release,
    "repository" => Repository,
    "repository_dispatch" => RepositoryDispatch,
    "star" => Star,
    "status" => Status,
    "team" => Team,
    "team_add" => TeamAdd,
    "watch" => Watch,
    "workflow_dispatch" => WorkflowDispatch,
    "workflow_job" => WorkflowJob,
    "workflow_run" => WorkflowRun,
}

fn typed<E: Normalise>(draft: Draft, delivery: &Delivery, tenants: &dyn Tenants, object: Object) -> Event {
    let message: E = json::read_event(object, "");
    draft.typed(delivery, tenants, message, E::activities)
}

/// What an event is about, as the key of its record: `<account>/<what>/<id>`. Events of one matter share it,
/// so that an issue and its comments, or a run and its jobs, stay in order within their topic. `None` where
/// neither a matter nor an account can be told.
pub(super) fn subject(kind: &str, account: &str, object: &Object) -> Option<String> {
    let (what, path) = match kind {
        "push" => ("ref", "ref"),
        "create" | "delete" => return git_ref(account, object).or_else(|| own(account)),
        // Issues and pull requests are numbered together.
        "issues" | "issue_comment" => ("issue", "issue.number"),
        "pull_request" | "pull_request_review" | "pull_request_review_comment" | "pull_request_review_thread" => {
            ("issue", "pull_request.number")
        }
        "discussion" | "discussion_comment" => ("discussion", "discussion.number"),
        "milestone" => ("milestone", "milestone.number"),
        "label" => ("label", "label.id"),
        "workflow_run" => ("run", "workflow_run.id"),
        "workflow_job" => ("run", "workflow_job.run_id"),
        "check_run" => ("commit", "check_run.head_sha"),
        "check_suite" => ("commit", "check_suite.head_sha"),
        "status" => ("commit", "sha"),
        "commit_comment" => ("commit", "comment.commit_id"),
        "deployment" | "deployment_status" => ("deployment", "deployment.id"),
        "release" => ("release", "release.id"),
        "package" => ("package", "package.id"),
        "member" | "membership" => ("user", "member.id"),
        "team" | "team_add" => ("team", "team.id"),
        _ => return own(account),
    };
    match at(object, path) {
        Some(Value::String(id)) => Some(format!("{account}/{what}/{id}")),
        Some(Value::Number(id)) => Some(format!("{account}/{what}/{id}")),
        _ => own(account),
    }
}

fn own(account: &str) -> Option<String> {
    (!account.is_empty()).then(|| account.to_owned())
}

/// The full name of a branch or tag, as pushes send it, where only its short name is sent.
fn git_ref(account: &str, object: &Object) -> Option<String> {
    let name = object.get("ref")?.as_str()?;
    let folder = match object.get("ref_type")?.as_str()? {
        "branch" => "heads",
        "tag" => "tags",
        _ => return None,
    };
    Some(format!("{account}/ref/refs/{folder}/{name}"))
}

#[cfg(test)]
#[path = "kinds_tests.rs"]
mod tests;
