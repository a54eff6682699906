//! Issues, discussions, labels, milestones.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1 as proto;

use super::{Normalise, activity, actor, comment_verb, issue, matter_verb, text, thing_verb, written};

impl Normalise for proto::Issues {
    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.issue else { return Vec::new() };
        let verb = matter_verb(self.action());
        vec![Activity { text: written(verb, about.body.as_ref()), ..activity(self, verb, issue(about)) }]
    }
}

impl Normalise for proto::IssueComment {
    fn activities(&self) -> Vec<Activity> {
        let Some(comment) = &self.comment else { return Vec::new() };
        let object = Object {
            r#type: "comment".to_owned(),
            id: text(comment.id.as_ref()),
            url: text(comment.html_url.as_ref()),
            author: comment.user.as_ref().map(actor),
            ..Object::default()
        };
        let verb = comment_verb(self.action());
        vec![Activity {
            target: self.issue.as_ref().map(issue),
            text: written(verb, comment.body.as_ref()),
            ..activity(self, verb, object)
        }]
    }
}

impl Normalise for proto::Label {
    fn activities(&self) -> Vec<Activity> {
        let Some(label) = &self.label else { return Vec::new() };
        let object = Object {
            r#type: "label".to_owned(),
            id: text(label.id.as_ref()),
            title: text(label.name.as_ref()),
            ..Object::default()
        };
        let verb = thing_verb(self.action());
        vec![Activity { text: written(verb, label.description.as_ref()), ..activity(self, verb, object) }]
    }
}

impl Normalise for proto::Milestone {
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
        let verb = match self.action() {
            "opened" => Verb::Reopen,
            "closed" => Verb::Close,
            other => thing_verb(other),
        };
        vec![Activity { text: written(verb, milestone.description.as_ref()), ..activity(self, verb, object) }]
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

impl Normalise for proto::Discussion {
    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.discussion else { return Vec::new() };
        let verb = matter_verb(self.action());
        vec![Activity { text: written(verb, about.body.as_ref()), ..activity(self, verb, discussion(about)) }]
    }
}

impl Normalise for proto::DiscussionComment {
    fn activities(&self) -> Vec<Activity> {
        let Some(comment) = &self.comment else { return Vec::new() };
        let object = Object {
            r#type: "comment".to_owned(),
            id: text(comment.id.as_ref()),
            url: text(comment.html_url.as_ref()),
            author: comment.user.as_ref().map(actor),
            ..Object::default()
        };
        let verb = comment_verb(self.action());
        vec![Activity {
            target: self.discussion.as_ref().map(discussion),
            text: written(verb, comment.body.as_ref()),
            ..activity(self, verb, object)
        }]
    }
}
