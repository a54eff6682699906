//! Issues, discussions, labels, milestones.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1 as proto;

use super::{activity, actor, comment_verb, issue, matter_verb, said, text, thing_verb, written};
use crate::kind::Kind;

impl Kind for proto::Issues {
    key!("issue", "issue.number");

    times! {
        "opened" => "issue.created_at",
        "closed" => "issue.closed_at" "issue.updated_at",
        _ => "issue.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.issue else { return Vec::new() };
        let verb = matter_verb(said(&self.action));
        vec![Activity {
            text: written(verb, about.body.as_ref()),
            ..activity(&self.sender, &self.repository, verb, issue(about))
        }]
    }
}

impl Kind for proto::IssueComment {
    key!("issue", "issue.number");

    times! {
        "created" => "comment.created_at",
        _ => "comment.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(comment) = &self.comment else { return Vec::new() };
        let object = Object {
            r#type: "comment".to_owned(),
            id: text(comment.id.as_ref()),
            url: text(comment.html_url.as_ref()),
            author: comment.user.as_ref().map(actor),
            ..Object::default()
        };
        let verb = comment_verb(said(&self.action));
        vec![Activity {
            target: self.issue.as_ref().map(issue),
            text: written(verb, comment.body.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::Label {
    key!("label", "label.id");

    fn activities(&self) -> Vec<Activity> {
        let Some(label) = &self.label else { return Vec::new() };
        let object = Object {
            r#type: "label".to_owned(),
            id: text(label.id.as_ref()),
            title: text(label.name.as_ref()),
            ..Object::default()
        };
        let verb = thing_verb(said(&self.action));
        vec![Activity {
            text: written(verb, label.description.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::Milestone {
    key!("milestone", "milestone.number");

    times! {
        "created" => "milestone.created_at",
        "closed" => "milestone.closed_at" "milestone.updated_at",
        _ => "milestone.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(milestone) = &self.milestone else { return Vec::new() };
        let object = Object {
            r#type: "milestone".to_owned(),
            id: text(milestone.id.as_ref()),
            url: text(milestone.html_url.as_ref()),
            title: text(milestone.title.as_ref()),
            status: text(milestone.state.as_ref()),
            author: milestone.creator.as_ref().map(actor),
        };
        let verb = match said(&self.action) {
            "opened" => Verb::Reopen,
            "closed" => Verb::Close,
            other => thing_verb(other),
        };
        vec![Activity {
            text: written(verb, milestone.description.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

fn discussion(discussion: &proto::DiscussionInfo) -> Object {
    Object {
        r#type: "discussion".to_owned(),
        id: text(discussion.id.as_ref()),
        url: text(discussion.html_url.as_ref()),
        title: text(discussion.title.as_ref()),
        status: text(discussion.state.as_ref()),
        author: discussion.user.as_ref().map(actor),
    }
}

impl Kind for proto::Discussion {
    key!("discussion", "discussion.number");

    times! {
        "created" => "discussion.created_at",
        "answered" => "discussion.answer_chosen_at" "discussion.updated_at",
        _ => "discussion.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.discussion else { return Vec::new() };
        let verb = matter_verb(said(&self.action));
        vec![Activity {
            text: written(verb, about.body.as_ref()),
            ..activity(&self.sender, &self.repository, verb, discussion(about))
        }]
    }
}

impl Kind for proto::DiscussionComment {
    key!("discussion", "discussion.number");

    times! {
        "created" => "comment.created_at",
        _ => "comment.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(comment) = &self.comment else { return Vec::new() };
        let object = Object {
            r#type: "comment".to_owned(),
            id: text(comment.id.as_ref()),
            url: text(comment.html_url.as_ref()),
            author: comment.user.as_ref().map(actor),
            ..Object::default()
        };
        let verb = comment_verb(said(&self.action));
        vec![Activity {
            target: self.discussion.as_ref().map(discussion),
            text: written(verb, comment.body.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}
