//! Pull requests and their reviews.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1 as proto;

use super::{activity, actor, comment_verb, matter_verb, pull_request, said, text, written};
use crate::kind::Kind;

impl Kind for proto::PullRequest {
    key!("issue", "pull_request.number");

    times! {
        "opened" => "pull_request.created_at",
        "closed" => "pull_request.merged_at" "pull_request.closed_at" "pull_request.updated_at",
        _ => "pull_request.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.pull_request else { return Vec::new() };
        let object = pull_request(about);
        let verb = match said(&self.action) {
            "closed" if object.status == "merged" => Verb::Merge,
            "synchronize" => Verb::Push,
            other => matter_verb(other),
        };
        vec![Activity {
            text: written(verb, about.body.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::PullRequestReview {
    key!("issue", "pull_request.number");

    times! {
        "submitted" => "review.submitted_at",
        _ => "review.updated_at" "pull_request.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(review) = &self.review else { return Vec::new() };
        let object = Object {
            r#type: "review".to_owned(),
            id: text(review.id.as_ref()),
            url: text(review.html_url.as_ref()),
            status: text(review.state.as_ref()),
            author: review.user.as_ref().map(actor),
            ..Object::default()
        };
        let verb = match said(&self.action) {
            "submitted" => Verb::Review,
            "edited" => Verb::Edit,
            _ => Verb::Update,
        };
        vec![Activity {
            target: self.pull_request.as_ref().map(pull_request),
            text: written(verb, review.body.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::PullRequestReviewComment {
    key!("issue", "pull_request.number");

    times! {
        "created" => "comment.created_at",
        _ => "comment.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(comment) = &self.comment else { return Vec::new() };
        let object = Object {
            r#type: "review_comment".to_owned(),
            id: text(comment.id.as_ref()),
            url: text(comment.html_url.as_ref()),
            title: text(comment.path.as_ref()),
            author: comment.user.as_ref().map(actor),
            ..Object::default()
        };
        let verb = comment_verb(said(&self.action));
        vec![Activity {
            target: self.pull_request.as_ref().map(pull_request),
            text: written(verb, comment.body.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
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
        let object = Object {
            r#type: "review_thread".to_owned(),
            id: text(thread.node_id.as_ref()),
            url: text(first.and_then(|comment| comment.html_url.as_ref())),
            title: text(first.and_then(|comment| comment.path.as_ref())),
            status: said(&self.action).to_owned(),
            author: first.and_then(|comment| comment.user.as_ref()).map(actor),
        };
        let verb = match said(&self.action) {
            "resolved" => Verb::Close,
            "unresolved" => Verb::Reopen,
            _ => Verb::Update,
        };
        vec![Activity {
            target: self.pull_request.as_ref().map(pull_request),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}
