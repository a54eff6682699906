//! When it happened: the most specific time that the payload has for what was done.

use common::json::{Object, Value};
use common::time;

use crate::draft::Time;

/// The time of an event. Where the payload has none that belongs to what was done, it is missing: the time
/// at which a comment was last changed is not the time at which it was deleted.
pub(super) fn of(kind: &str, object: &Object) -> Time {
    let action = object.get("action").and_then(Value::as_str).unwrap_or_default();
    let sent = candidates(kind, action).iter().find_map(|path| at(object, path));
    match sent {
        None => Time::default(),
        Some(value) => read(value).map_or_else(Time::unreadable, Time::at),
    }
}

/// A member by its path; `None` where it is null.
pub(super) fn at<'a>(object: &'a Object, path: &str) -> Option<&'a Value> {
    let mut names = path.split('.');
    let first = object.get(names.next()?)?;
    names.try_fold(first, |value, name| value.get(name)).filter(|value| !value.is_null())
}

/// RFC 3339, or seconds since 1970.
fn read(value: &Value) -> Option<prost_types::Timestamp> {
    match value {
        Value::String(text) => time::from_rfc3339(text),
        Value::Number(number) => number.as_i64().map(time::from_seconds),
        _ => None,
    }
}

/// Where the time may stand, the best first.
fn candidates(kind: &str, action: &str) -> &'static [&'static str] {
    match (kind, action) {
        // What is gone has no time of its going.
        (_, "deleted" | "removed") => &[],
        ("push", _) => &["repository.pushed_at", "head_commit.timestamp"],
        ("create" | "delete", _) => &["repository.pushed_at"],
        ("status", _) => &["updated_at", "created_at"],
        ("merge_group", "checks_requested") => &["merge_group.head_commit.timestamp"],
        ("commit_comment" | "issue_comment" | "discussion_comment" | "pull_request_review_comment", "created") => {
            &["comment.created_at"]
        }
        ("commit_comment" | "issue_comment" | "discussion_comment" | "pull_request_review_comment", _) => {
            &["comment.updated_at"]
        }
        ("issues", "opened") => &["issue.created_at"],
        ("issues", "closed") => &["issue.closed_at", "issue.updated_at"],
        ("issues", _) => &["issue.updated_at"],
        ("milestone", "created") => &["milestone.created_at"],
        ("milestone", "closed") => &["milestone.closed_at", "milestone.updated_at"],
        ("milestone", _) => &["milestone.updated_at"],
        ("discussion", "created") => &["discussion.created_at"],
        ("discussion", "answered") => &["discussion.answer_chosen_at", "discussion.updated_at"],
        ("discussion", _) => &["discussion.updated_at"],
        ("pull_request", "opened") => &["pull_request.created_at"],
        ("pull_request", "closed") => &["pull_request.merged_at", "pull_request.closed_at", "pull_request.updated_at"],
        ("pull_request", _) => &["pull_request.updated_at"],
        ("pull_request_review", "submitted") => &["review.submitted_at"],
        ("pull_request_review", _) => &["review.updated_at", "pull_request.updated_at"],
        ("pull_request_review_thread", _) => &["updated_at", "pull_request.updated_at"],
        // A run is made once; each of its attempts starts.
        ("workflow_run", "requested") => &["workflow_run.run_started_at", "workflow_run.created_at"],
        ("workflow_run", _) => &["workflow_run.updated_at"],
        ("workflow_job", "completed") => &["workflow_job.completed_at"],
        ("workflow_job", "in_progress") => &["workflow_job.started_at"],
        ("workflow_job", _) => &["workflow_job.created_at", "workflow_job.started_at"],
        ("check_run", "completed") => &["check_run.completed_at"],
        ("check_run", "created") => &["check_run.started_at"],
        ("check_suite", "requested") => &["check_suite.created_at"],
        ("check_suite", _) => &["check_suite.updated_at"],
        ("deployment", _) => &["deployment.created_at"],
        ("deployment_status", _) => &["deployment_status.created_at"],
        ("page_build", _) => &["build.updated_at"],
        ("fork", _) => &["forkee.created_at"],
        ("star", _) => &["starred_at"],
        // A release's created_at is the time of its commit.
        ("release", "published" | "released" | "prereleased") => &["release.published_at"],
        ("release", _) => &["release.updated_at"],
        ("repository", "created") => &["repository.created_at"],
        ("repository" | "public", _) => &["repository.updated_at"],
        ("package", "published") => &["package.package_version.created_at", "package.updated_at"],
        ("package", _) => &["package.updated_at"],
        ("installation", "created") => &["installation.created_at"],
        ("installation", "suspend") => &["installation.suspended_at", "installation.updated_at"],
        ("installation" | "installation_repositories", _) => &["installation.updated_at"],
        _ => &[],
    }
}

#[cfg(test)]
#[path = "times_tests.rs"]
mod tests;
