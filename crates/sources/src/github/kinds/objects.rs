//! The things that GitHub's activities are about.
//!
//! A thing has one id, whatever event it occurs in. An issue or pull request has another id of GitHub's in an event of its
//! own than in one of a comment, so that it is told by its repository and number; a branch, a tag and a page of a wiki have
//! none, and are told by their repository and name.

use common::activity::v1::{Actor, Object};
use common::github::v1::{
    AppInfo, DiscussionInfo, IssueInfo, LabelInfo, MilestoneInfo, OrganizationInfo, PullRequestInfo, RepositoryInfo,
    TeamInfo, UserInfo,
};

use super::{first, text};

/// The repository that something is in.
pub(super) type In<'a> = &'a Option<RepositoryInfo>;

pub(super) fn actor(user: &UserInfo) -> Actor {
    Actor {
        id: text(user.id.as_ref()),
        name: text(user.name.as_ref()),
        handle: text(user.login.as_ref()),
        r#type: text(user.r#type.as_ref()).to_lowercase(),
    }
}

/// A thing of that type with that id.
pub(super) fn thing(r#type: &str, id: Option<&String>) -> Object {
    Object { r#type: r#type.to_owned(), id: text(id), ..Object::default() }
}

/// A person as the object of what is done to them.
pub(super) fn person(user: &UserInfo) -> Object {
    Object {
        url: text(user.html_url.as_ref()),
        title: first([&user.login, &user.name]),
        ..thing("user", user.id.as_ref())
    }
}

pub(super) fn repository(repository: &RepositoryInfo) -> Object {
    Object {
        url: text(repository.html_url.as_ref()),
        title: first([&repository.full_name, &repository.name]),
        ..thing("repository", repository.id.as_ref())
    }
}

pub(super) fn organization(organization: &OrganizationInfo) -> Object {
    Object {
        url: text(organization.html_url.as_ref()),
        title: text(organization.login.as_ref()),
        ..thing("organization", organization.id.as_ref())
    }
}

pub(super) fn team(team: &TeamInfo) -> Object {
    Object { url: text(team.html_url.as_ref()), title: text(team.name.as_ref()), ..thing("team", team.id.as_ref()) }
}

pub(super) fn app(app: &AppInfo) -> Object {
    Object { url: text(app.html_url.as_ref()), title: text(app.name.as_ref()), ..thing("app", app.id.as_ref()) }
}

pub(super) fn label(label: &LabelInfo) -> Object {
    Object { title: text(label.name.as_ref()), ..thing("label", label.id.as_ref()) }
}

/// What has a page, a title, an author, and mostly a number.
pub(super) fn matter(
    r#type: &str,
    id: String,
    [url, title]: [&Option<String>; 2],
    author: &Option<UserInfo>,
    number: Option<i64>,
) -> Object {
    Object {
        url: text(url.as_ref()),
        title: text(title.as_ref()),
        author: author.as_ref().map(actor),
        number,
        ..thing(r#type, Some(&id))
    }
}

/// What is said to something else.
pub(super) fn comment(r#type: &str, id: &Option<String>, url: &Option<String>, author: Option<&UserInfo>) -> Object {
    let author = author.map(actor);
    Object { author, ..matter(r#type, text(id.as_ref()), [url, &None], &None, None) }
}

pub(super) fn milestone(sent: &MilestoneInfo) -> Object {
    let parts = [&sent.html_url, &sent.title];
    let status = text(sent.state.as_ref());
    Object { status, ..matter("milestone", text(sent.id.as_ref()), parts, &sent.creator, sent.number) }
}

pub(super) fn discussion(sent: &DiscussionInfo) -> Object {
    let parts = [&sent.html_url, &sent.title];
    let status = text(sent.state.as_ref());
    Object { status, ..matter("discussion", text(sent.id.as_ref()), parts, &sent.user, sent.number) }
}

/// An issue; a pull request where it is one.
pub(super) fn issue(sent: &IssueInfo, place: In<'_>) -> Object {
    let merged = sent.pull_request.as_ref().is_some_and(|pull_request| pull_request.merged_at.is_some());
    let kind = if sent.pull_request.is_some() { "pull_request" } else { "issue" };
    let id = numbered(place, sent.number, sent.id.as_ref());
    Object {
        status: if merged { "merged".to_owned() } else { text(sent.state.as_ref()) },
        ..matter(kind, id, [&sent.html_url, &sent.title], &sent.user, sent.number)
    }
}

pub(super) fn pull_request(sent: &PullRequestInfo, place: In<'_>) -> Object {
    let merged = sent.merged == Some(true) || sent.merged_at.is_some();
    let id = numbered(place, sent.number, sent.id.as_ref());
    Object {
        status: if merged { "merged".to_owned() } else { text(sent.state.as_ref()) },
        ..matter("pull_request", id, [&sent.html_url, &sent.title], &sent.user, sent.number)
    }
}

/// The id of what is told by its number: `1296269#42`.
pub(super) fn numbered(place: In<'_>, number: Option<i64>, own: Option<&String>) -> String {
    match (id(place), number) {
        (Some(repository), Some(number)) => format!("{repository}#{number}"),
        _ => text(own),
    }
}

/// The id of what is told by its name: `1296269:refs/heads/main`.
pub(super) fn named(place: In<'_>, name: &str) -> String {
    match id(place) {
        Some(repository) if !name.is_empty() => format!("{repository}:{name}"),
        _ => name.to_owned(),
    }
}

fn id<'a>(place: In<'a>) -> Option<&'a String> {
    place.as_ref()?.id.as_ref()
}

/// A page of the repository's.
pub(super) fn page(place: In<'_>, path: &str) -> String {
    let page = place.as_ref().and_then(|repository| repository.html_url.as_ref());
    page.map_or_else(String::new, |page| format!("{page}/{path}"))
}

/// A commit, whose title is the first line of its message.
pub(super) fn commit(place: In<'_>, hash: Option<&String>, message: Option<&String>) -> Option<Object> {
    let hash = hash?;
    Some(Object {
        url: page(place, &format!("commit/{hash}")),
        title: message.and_then(|message| message.lines().next()).unwrap_or_default().to_owned(),
        ..thing("commit", Some(hash))
    })
}

/// A branch or tag by its full name, `refs/heads/main`; what is neither is a ref.
pub(super) fn git_ref(place: In<'_>, full: &str) -> Object {
    let (r#type, name) = match (branch(full), full.strip_prefix("refs/tags/")) {
        (Some(branch), _) => ("branch", branch),
        (None, Some(tag)) => ("tag", tag),
        (None, None) => ("ref", full),
    };
    let url = if r#type == "ref" { String::new() } else { page(place, &format!("tree/{name}")) };
    Object { url, title: name.to_owned(), ..thing(r#type, Some(&named(place, full))) }
}

/// The name of the branch, where a full name is one's.
pub(super) fn branch(full: &str) -> Option<&str> {
    full.strip_prefix("refs/heads/")
}
