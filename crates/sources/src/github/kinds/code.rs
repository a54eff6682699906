//! Commits, branches, wikis.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1 as proto;
use common::json;

use super::{activity, actor, comment_verb, said, text, words, written};
use crate::kind::Kind;

fn commit(id: Option<&String>, url: Option<&String>, message: Option<&String>) -> Object {
    let title = message.and_then(|message| message.lines().next()).unwrap_or_default();
    Object { r#type: "commit".to_owned(), id: text(id), url: text(url), title: title.to_owned(), ..Object::default() }
}

impl Kind for proto::Push {
    key!("ref", "ref");

    times! {
        _ => "repository.pushed_at" "head_commit.timestamp",
    }

    /// One activity: the branch or tag now stands at another commit. Its words are the last commit's message,
    /// its links all commits.
    fn activities(&self) -> Vec<Activity> {
        let full = text(self.r#ref.as_ref());
        let (kind, name) = match (full.strip_prefix("refs/heads/"), full.strip_prefix("refs/tags/")) {
            (Some(branch), _) => ("branch", branch),
            (None, Some(tag)) => ("tag", tag),
            (None, None) => ("ref", full.as_str()),
        };
        let deleted = self.deleted == Some(true);
        let object = Object {
            r#type: kind.to_owned(),
            title: name.to_owned(),
            url: text(self.compare.as_ref()),
            status: if deleted { "deleted".to_owned() } else { text(self.after.as_ref()) },
            id: full,
            author: None,
        };
        let verb = if deleted { Verb::Delete } else { Verb::Push };
        let mut pushed = activity(&self.sender, &self.repository, verb, object);
        pushed.actor = pushed.actor.or_else(|| self.pusher.as_ref().map(actor));
        pushed.text = words(self.head_commit.as_ref().and_then(|commit| commit.message.as_ref()));
        pushed.links = self.commits.iter().filter_map(|commit| commit.url.clone()).collect();
        vec![pushed]
    }
}

fn git_ref(kind: Option<&String>, name: Option<&String>) -> Object {
    Object { r#type: text(kind), id: text(name), title: text(name), ..Object::default() }
}

/// The full name of a branch or tag, as pushes send it, where only its short name is sent.
fn full_ref(sent: &json::Object, account: &str) -> Option<String> {
    let name = sent.get("ref")?.as_str()?;
    let folder = match sent.get("ref_type")?.as_str()? {
        "branch" => "heads",
        "tag" => "tags",
        _ => return None,
    };
    Some(format!("{account}/ref/refs/{folder}/{name}"))
}

impl Kind for proto::Create {
    fn subject(sent: &json::Object, account: &str) -> Option<String> {
        full_ref(sent, account)
    }

    times! {
        _ => "repository.pushed_at",
    }

    fn activities(&self) -> Vec<Activity> {
        vec![activity(&self.sender, &self.repository, Verb::Post, git_ref(self.ref_type.as_ref(), self.r#ref.as_ref()))]
    }
}

impl Kind for proto::Delete {
    fn subject(sent: &json::Object, account: &str) -> Option<String> {
        full_ref(sent, account)
    }

    times! {
        _ => "repository.pushed_at",
    }

    fn activities(&self) -> Vec<Activity> {
        vec![activity(
            &self.sender,
            &self.repository,
            Verb::Delete,
            git_ref(self.ref_type.as_ref(), self.r#ref.as_ref()),
        )]
    }
}

impl Kind for proto::CommitComment {
    key!("commit", "comment.commit_id");

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
        let target = commit(comment.commit_id.as_ref(), None, None);
        vec![Activity {
            target: Some(target),
            text: written(verb, comment.body.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::Status {
    key!("commit", "sha");

    times! {
        _ => "updated_at" "created_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let object = Object {
            r#type: "status".to_owned(),
            id: text(self.id.as_ref()),
            url: text(self.target_url.as_ref()),
            title: text(self.status_context.as_ref()),
            status: text(self.state.as_ref()),
            author: None,
        };
        let verb = if self.state.as_deref() == Some("pending") { Verb::Start } else { Verb::Complete };
        let (url, message) = self.commit.as_ref().map_or((None, None), |commit| {
            (commit.html_url.as_ref(), commit.commit.as_ref().and_then(|git| git.message.as_ref()))
        });
        vec![Activity {
            target: Some(commit(self.sha.as_ref(), url, message)),
            text: words(self.description.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::Gollum {
    /// One activity for each page.
    fn activities(&self) -> Vec<Activity> {
        let page = |page: &proto::WikiPage| {
            let verb = if page.action.as_deref() == Some("created") { Verb::Post } else { Verb::Edit };
            let object = Object {
                r#type: "wiki_page".to_owned(),
                id: text(page.page_name.as_ref()),
                url: text(page.html_url.as_ref()),
                title: text(page.title.as_ref()),
                ..Object::default()
            };
            Activity { text: words(page.summary.as_ref()), ..activity(&self.sender, &self.repository, verb, object) }
        };
        self.pages.iter().map(page).collect()
    }
}

impl Kind for proto::MergeGroup {
    times! {
        "checks_requested" => "merge_group.head_commit.timestamp",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(group) = &self.merge_group else { return Vec::new() };
        let (verb, status) = match self.action.as_deref() {
            Some("checks_requested") => (Verb::Start, "checks_requested".to_owned()),
            Some("destroyed") => (Verb::Complete, text(self.reason.as_ref())),
            other => (Verb::Update, other.unwrap_or_default().to_owned()),
        };
        let object = Object {
            r#type: "merge_group".to_owned(),
            id: text(group.head_sha.as_ref()),
            title: text(group.head_ref.as_ref()),
            status,
            ..Object::default()
        };
        vec![activity(&self.sender, &self.repository, verb, object)]
    }
}
