//! Issues and their parts, discussions, labels, milestones.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1 as proto;
use common::json;

use super::objects::{comment, discussion, issue, label, milestone, person, thing};
use super::{about, activity, at, comment_verb, key, matter_verb, said, text, thing_verb, within, written};
use crate::kind::Kind;

fn issue_type(sent: &proto::IssueType) -> Object {
    Object { title: text(sent.name.as_ref()), ..thing("issue_type", sent.id.as_ref()) }
}

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
        let into = || self.milestone.as_ref().map(milestone);
        let kind = || self.r#type.as_ref().map(issue_type);
        vec![Activity {
            instrument: self.label.as_ref().map(label).or_else(whom).or_else(into).or_else(kind),
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
        let Some(sent) = &self.comment else { return Vec::new() };
        let object = comment("comment", &sent.id, &sent.html_url, sent.user.as_ref());
        let verb = comment_verb(said(&self.action));
        let thread = self.issue.as_ref().map(|sent| issue(sent, &self.repository));
        vec![Activity { text: written(verb, sent.body.as_ref()), ..within(&self.sender, verb, object, None, thread) }]
    }
}

/// Whether it is told about the issue that has a part more or less, and not about that part.
fn is_of_parent(action: &str) -> bool {
    action.starts_with("sub_issue_")
}

impl Kind for proto::SubIssues {
    /// The key of the issue that it is told about: the other one may be in another repository.
    fn subject(sent: &json::Object, account: &str) -> Option<String> {
        let of_parent = at(sent, "action").and_then(json::Value::as_str).is_some_and(is_of_parent);
        key(sent, account, "issue", if of_parent { "parent_issue.number" } else { "sub_issue.number" })
    }

    times! {
        "sub_issue_added" | "sub_issue_removed" => "parent_issue.updated_at",
        _ => "sub_issue.updated_at",
    }

    /// GitHub tells of it twice, once about each of the two issues: each is the object once.
    fn activities(&self) -> Vec<Activity> {
        let of_parent = is_of_parent(said(&self.action));
        let (parent_in, part_in) = if of_parent {
            (&self.repository, &self.sub_issue_repo)
        } else {
            (&self.parent_issue_repo, &self.repository)
        };
        let parent = self.parent_issue.as_ref().map(|parent| issue(parent, parent_in));
        let part = self.sub_issue.as_ref().map(|part| issue(part, part_in));
        let (object, instrument) = if of_parent { (parent, part) } else { (part, parent) };
        let Some(object) = object else { return Vec::new() };
        vec![Activity { instrument, ..about(&self.sender, &self.repository, Verb::Update, object) }]
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

fn discussion_comment(sent: &proto::DiscussionCommentInfo) -> Object {
    comment("comment", &sent.id, &sent.html_url, sent.user.as_ref())
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
