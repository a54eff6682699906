//! Commits, branches, wikis.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1 as proto;
use common::json;

use super::objects::{actor, branch, comment, commit, git_ref, named, thing};
use super::{MOST, activity, comment_verb, said, text, within, words, written};
use crate::kind::Kind;

impl Kind for proto::Push {
    key!("ref", "ref");

    times! {
        _ => "repository.pushed_at" "head_commit.timestamp",
    }

    /// One activity: the branch or tag now stands at another commit. Its words are the last commit's message,
    /// its links all commits.
    fn activities(&self) -> Vec<Activity> {
        let full = self.r#ref.as_deref().unwrap_or_default();
        let deleted = self.deleted == Some(true);
        let object = Object {
            url: text(self.compare.as_ref()),
            status: if deleted { "deleted" } else { "" }.to_owned(),
            ..git_ref(&self.repository, full)
        };
        let verb = if deleted { Verb::Delete } else { Verb::Push };
        let mut pushed = activity(&self.sender, &self.repository, verb, object);
        pushed.branch = branch(full).unwrap_or_default().to_owned();
        // Where it stood before it was deleted is no commit that it is at.
        pushed.commit = text(self.after.as_ref().filter(|_| !deleted));
        pushed.actor = pushed.actor.or_else(|| self.pusher.as_ref().map(actor));
        pushed.text = words(self.head_commit.as_ref().and_then(|commit| commit.message.as_ref()));
        pushed.links = self.commits.iter().filter_map(|commit| commit.url.clone()).collect();
        vec![pushed]
    }
}

/// The full name of a branch or tag, as pushes send it, where only its short name is sent.
fn full_name(kind: &str, name: &str) -> Option<String> {
    match kind {
        "branch" => Some(format!("refs/heads/{name}")),
        "tag" => Some(format!("refs/tags/{name}")),
        _ => None,
    }
}

/// The key of what is sent by its short name.
fn ref_key(sent: &json::Object, account: &str) -> Option<String> {
    let full = full_name(sent.get("ref_type")?.as_str()?, sent.get("ref")?.as_str()?)?;
    Some(format!("{account}/ref/{full}"))
}

/// A branch or tag that was made or deleted.
fn to_ref(
    sender: &Option<proto::UserInfo>,
    place: &Option<proto::RepositoryInfo>,
    verb: Verb,
    (kind, name): (&Option<String>, &Option<String>),
) -> Vec<Activity> {
    let (kind, name) = (said(kind), said(name));
    let status = if verb == Verb::Delete { "deleted" } else { "" }.to_owned();
    let object = match full_name(kind, name) {
        Some(full) => git_ref(place, &full),
        None => Object { title: name.to_owned(), ..thing(kind, Some(&named(place, name))) },
    };
    let branch = if kind == "branch" { name.to_owned() } else { String::new() };
    vec![Activity { branch, ..activity(sender, place, verb, Object { status, ..object }) }]
}

impl Kind for proto::Create {
    fn subject(sent: &json::Object, account: &str) -> Option<String> {
        ref_key(sent, account)
    }

    times! {
        _ => "repository.pushed_at",
    }

    fn activities(&self) -> Vec<Activity> {
        to_ref(&self.sender, &self.repository, Verb::Post, (&self.ref_type, &self.r#ref))
    }
}

impl Kind for proto::Delete {
    fn subject(sent: &json::Object, account: &str) -> Option<String> {
        ref_key(sent, account)
    }

    times! {
        _ => "repository.pushed_at",
    }

    fn activities(&self) -> Vec<Activity> {
        to_ref(&self.sender, &self.repository, Verb::Delete, (&self.ref_type, &self.r#ref))
    }
}

impl Kind for proto::CommitComment {
    key!("commit", "comment.commit_id");

    times! {
        "created" => "comment.created_at" "comment.updated_at",
        _ => "comment.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.comment else { return Vec::new() };
        let object = comment("comment", &sent.id, &sent.html_url, sent.user.as_ref());
        let verb = comment_verb(said(&self.action));
        vec![Activity {
            text: written(verb, sent.body.as_ref()),
            commit: text(sent.commit_id.as_ref()),
            ..within(&self.sender, verb, object, None, commit(&self.repository, sent.commit_id.as_ref(), None))
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
            url: text(self.target_url.as_ref()),
            title: text(self.status_context.as_ref()),
            status: text(self.state.as_ref()),
            ..thing("status", self.id.as_ref())
        };
        let verb = if self.state.as_deref() == Some("pending") { Verb::Start } else { Verb::Complete };
        let message = self.commit.as_ref().and_then(|commit| commit.commit.as_ref()?.message.as_ref());
        vec![Activity {
            target: commit(&self.repository, self.sha.as_ref(), message),
            text: words(self.description.as_ref()),
            // The branches that have the commit at their end: where there are several, none of them is the one.
            branch: text(self.branches.first().filter(|_| self.branches.len() == 1).and_then(|one| one.name.as_ref())),
            commit: text(self.sha.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::Gollum {
    /// One activity for each page.
    fn activities(&self) -> Vec<Activity> {
        let page = |page: &proto::WikiPage| {
            let verb = if page.action.as_deref() == Some("created") { Verb::Post } else { Verb::Edit };
            let id = page.page_name.as_ref().map(|name| named(&self.repository, &format!("wiki/{name}")));
            let object = Object {
                url: text(page.html_url.as_ref()),
                title: text(page.title.as_ref()),
                ..thing("wiki_page", id.as_ref())
            };
            Activity {
                action: text(page.action.as_ref()),
                text: words(page.summary.as_ref()),
                ..activity(&self.sender, &self.repository, verb, object)
            }
        };
        self.pages.iter().take(MOST).map(page).collect()
    }
}

impl Kind for proto::MergeGroup {
    times! {
        "checks_requested" => "merge_group.head_commit.timestamp",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(group) = &self.merge_group else { return Vec::new() };
        let verb = match self.action.as_deref() {
            Some("checks_requested") => Verb::Start,
            Some("destroyed") => Verb::Complete,
            _ => Verb::Update,
        };
        let object = Object {
            title: text(group.head_ref.as_ref()),
            // How it ended: merged, invalidated or dequeued.
            status: text(self.reason.as_ref()),
            ..thing("merge_group", group.head_sha.as_ref())
        };
        vec![Activity {
            // What the group is to be merged into: its own branch is made for its checks.
            branch: group.base_ref.as_deref().and_then(branch).unwrap_or_default().to_owned(),
            commit: text(group.head_sha.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}
