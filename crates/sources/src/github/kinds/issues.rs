//! Issues, discussions, labels, milestones.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1 as proto;

use super::objects::{actor, issue, label, milestone, person, thing};
use super::{about, activity, comment_verb, matter_verb, said, text, thing_verb, within, written};
use crate::kind::Kind;

impl Kind for proto::Issues {
    key!("issue", "issue.number");

    times! {
        "opened" => "issue.created_at" "issue.updated_at",
        "closed" => "issue.closed_at" "issue.updated_at",
        _ => "issue.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.issue else { return Vec::new() };
        let verb = matter_verb(said(&self.action));
        let whom = || self.assignee.as_ref().map(person);
        vec![Activity {
            instrument: self.label.as_ref().map(label).or_else(whom).or_else(|| self.milestone.as_ref().map(milestone)),
            text: written(verb, sent.body.as_ref()),
            ..about(&self.sender, &self.repository, verb, issue(sent, &self.repository))
        }]
    }
}

impl Kind for proto::IssueComment {
    key!("issue", "issue.number");

    times! {
        "created" => "comment.created_at" "comment.updated_at",
        _ => "comment.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(comment) = &self.comment else { return Vec::new() };
        let object = Object {
            url: text(comment.html_url.as_ref()),
            author: comment.user.as_ref().map(actor),
            ..thing("comment", comment.id.as_ref())
        };
        let verb = comment_verb(said(&self.action));
        let thread = self.issue.as_ref().map(|sent| issue(sent, &self.repository));
        vec![Activity {
            text: written(verb, comment.body.as_ref()),
            ..within(&self.sender, verb, object, None, thread)
        }]
    }
}

impl Kind for proto::Label {
    key!("label", "label.id");

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.label else { return Vec::new() };
        let verb = thing_verb(said(&self.action));
        vec![Activity {
            text: written(verb, sent.description.as_ref()),
            ..activity(&self.sender, &self.repository, verb, label(sent))
        }]
    }
}

impl Kind for proto::Milestone {
    key!("milestone", "milestone.number");

    times! {
        "created" => "milestone.created_at" "milestone.updated_at",
        "closed" => "milestone.closed_at" "milestone.updated_at",
        _ => "milestone.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.milestone else { return Vec::new() };
        let verb = match said(&self.action) {
            "opened" => Verb::Reopen,
            "closed" => Verb::Close,
            other => thing_verb(other),
        };
        vec![Activity {
            text: written(verb, sent.description.as_ref()),
            ..activity(&self.sender, &self.repository, verb, milestone(sent))
        }]
    }
}

fn discussion(discussion: &proto::DiscussionInfo) -> Object {
    Object {
        url: text(discussion.html_url.as_ref()),
        title: text(discussion.title.as_ref()),
        status: text(discussion.state.as_ref()),
        author: discussion.user.as_ref().map(actor),
        number: discussion.number,
        ..thing("discussion", discussion.id.as_ref())
    }
}

fn discussion_comment(comment: &proto::DiscussionCommentInfo) -> Object {
    Object {
        url: text(comment.html_url.as_ref()),
        author: comment.user.as_ref().map(actor),
        ..thing("comment", comment.id.as_ref())
    }
}

impl Kind for proto::Discussion {
    key!("discussion", "discussion.number");

    times! {
        "created" => "discussion.created_at" "discussion.updated_at",
        "answered" => "discussion.answer_chosen_at" "discussion.updated_at",
        _ => "discussion.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.discussion else { return Vec::new() };
        let verb = matter_verb(said(&self.action));
        let answer = || self.answer.as_ref().or(self.old_answer.as_ref()).map(discussion_comment);
        vec![Activity {
            instrument: self.label.as_ref().map(label).or_else(answer),
            text: written(verb, sent.body.as_ref()),
            ..about(&self.sender, &self.repository, verb, discussion(sent))
        }]
    }
}

impl Kind for proto::DiscussionComment {
    key!("discussion", "discussion.number");

    times! {
        "created" => "comment.created_at" "comment.updated_at",
        _ => "comment.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(comment) = &self.comment else { return Vec::new() };
        let verb = comment_verb(said(&self.action));
        let parent = comment.parent_id.as_ref().map(|id| thing("comment", Some(id)));
        let thread = self.discussion.as_ref().map(discussion);
        vec![Activity {
            text: written(verb, comment.body.as_ref()),
            ..within(&self.sender, verb, discussion_comment(comment), parent, thread)
        }]
    }
}
