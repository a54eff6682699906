//! Pull requests and their reviews.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1::{self as proto, PullRequestInfo, UserInfo};

use super::objects::{In, actor, comment, label, matter, milestone, person, pull_request, team, thing};
use super::{about, comment_verb, matter_verb, said, text, within, written};
use crate::kind::Kind;

/// The branch with the commits, and the last of them.
fn head(sent: &PullRequestInfo) -> (String, String) {
    let head = sent.head.as_ref();
    (text(head.and_then(|head| head.r#ref.as_ref())), text(head.and_then(|head| head.sha.as_ref())))
}

/// What is said about a pull request, or to something else that was said about it.
fn reviewed(
    sender: &Option<UserInfo>,
    place: In<'_>,
    sent: &Option<PullRequestInfo>,
    verb: Verb,
    object: Object,
    answered: Option<Object>,
) -> Activity {
    let (branch, commit) = sent.as_ref().map(head).unwrap_or_default();
    let thread = sent.as_ref().map(|sent| pull_request(sent, place));
    Activity { branch, commit, ..within(sender, verb, object, answered, thread) }
}

impl Kind for proto::PullRequest {
    key!("issue", "pull_request.number");

    times! {
        "opened" => "pull_request.created_at" "pull_request.updated_at",
        "closed" => "pull_request.merged_at" "pull_request.closed_at" "pull_request.updated_at",
        _ => "pull_request.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.pull_request else { return Vec::new() };
        let object = pull_request(sent, &self.repository);
        let verb = match said(&self.action) {
            "closed" if object.status == "merged" => Verb::Merge,
            "synchronize" => Verb::Push,
            other => matter_verb(other),
        };
        let whom = [&self.requested_reviewer, &self.assignee].into_iter().flatten().next().map(person);
        let team = || self.requested_team.as_ref().map(team);
        let what = || self.label.as_ref().map(label).or_else(|| self.milestone.as_ref().map(milestone));
        let (branch, commit) = head(sent);
        vec![Activity {
            instrument: whom.or_else(team).or_else(what),
            text: written(verb, sent.body.as_ref()),
            branch,
            commit,
            ..about(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::PullRequestReview {
    key!("issue", "pull_request.number");

    times! {
        "submitted" => "review.submitted_at" "pull_request.updated_at",
        _ => "review.updated_at" "pull_request.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(review) = &self.review else { return Vec::new() };
        let object = Object {
            status: text(review.state.as_ref()),
            ..comment("review", &review.id, &review.html_url, review.user.as_ref())
        };
        let verb = match said(&self.action) {
            "submitted" => Verb::Review,
            "edited" => Verb::Edit,
            _ => Verb::Update,
        };
        let said = reviewed(&self.sender, &self.repository, &self.pull_request, verb, object, None);
        vec![Activity {
            text: written(verb, review.body.as_ref()),
            // What was reviewed may not be the last commit any more.
            commit: review.commit_id.clone().unwrap_or(said.commit),
            ..said
        }]
    }
}

impl Kind for proto::PullRequestReviewComment {
    key!("issue", "pull_request.number");

    times! {
        "created" => "comment.created_at" "comment.updated_at",
        _ => "comment.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.comment else { return Vec::new() };
        let object = Object {
            title: text(sent.path.as_ref()),
            ..comment("review_comment", &sent.id, &sent.html_url, sent.user.as_deref())
        };
        let verb = comment_verb(said(&self.action));
        let answered = sent.in_reply_to_id.as_ref().map(|id| thing("review_comment", Some(id)));
        let said = reviewed(&self.sender, &self.repository, &self.pull_request, verb, object, answered);
        vec![Activity {
            text: written(verb, sent.body.as_ref()),
            commit: sent.commit_id.clone().unwrap_or(said.commit),
            ..said
        }]
    }
}

impl Kind for proto::PullRequestReviewThread {
    key!("issue", "pull_request.number");

    times! {
        _ => "updated_at" "pull_request.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(thread) = &self.thread else { return Vec::new() };
        let first = thread.comments.first();
        let (url, path) = first.map_or((&None, &None), |first| (&first.html_url, &first.path));
        let object = Object {
            status: said(&self.action).to_owned(),
            author: first.and_then(|first| first.user.as_deref()).map(actor),
            ..matter("review_thread", text(thread.node_id.as_ref()), [url, path], &None, None)
        };
        let verb = match said(&self.action) {
            "resolved" => Verb::Close,
            "unresolved" => Verb::Reopen,
            _ => Verb::Update,
        };
        vec![reviewed(&self.sender, &self.repository, &self.pull_request, verb, object, None)]
    }
}
