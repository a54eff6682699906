//! Projects, their items, and how they go.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1::{self as proto, UserInfo};

use super::objects::{matter, organization, thing};
use super::{about, activity, first, said, shown, text, thing_verb, written};
use crate::kind::Kind;

/// The id by which the items of a project name it.
fn project_id(sent: &proto::ProjectInfo) -> String {
    first([&sent.node_id, &sent.id])
}

/// The page of a project, which is not sent: beside the page of its owner.
fn page(sent: &proto::ProjectInfo) -> Option<String> {
    let (owner, number) = (sent.owner.as_ref()?, sent.number?);
    let login = owner.login.as_ref()?;
    let site = owner.html_url.as_ref()?.strip_suffix(login)?;
    let whose = if owner.r#type.as_deref() == Some("User") { "users" } else { "orgs" };
    Some(format!("{site}{whose}/{login}/projects/{number}"))
}

/// Of what belongs to a project, of which its id is sent and seldom its number.
fn within_project(
    sender: &Option<UserInfo>,
    verb: Verb,
    object: Object,
    project: Option<&String>,
    number: Option<i64>,
) -> Activity {
    let project = project.map(|id| Object { number, ..thing("project", Some(id)) });
    Activity { target: project.clone(), thread: project, ..activity(sender, &None, verb, object) }
}

impl Kind for proto::ProjectsV2 {
    key!("project", "projects_v2.node_id");

    times! {
        "created" => "projects_v2.created_at" "projects_v2.updated_at",
        "closed" => "projects_v2.closed_at" "projects_v2.updated_at",
        _ => "projects_v2.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.projects_v2 else { return Vec::new() };
        let verb = match said(&self.action) {
            "closed" => Verb::Close,
            "reopened" => Verb::Reopen,
            other => thing_verb(other),
        };
        let state = if sent.closed_at.is_some() { "closed" } else { "open" };
        let object = Object {
            status: sent.state.as_deref().unwrap_or(state).to_owned(),
            ..matter("project", project_id(sent), [&page(sent), &sent.title], &sent.creator, sent.number)
        };
        vec![Activity {
            target: self.organization.as_ref().map(organization),
            text: written(verb, Some(&first([&sent.short_description, &sent.description]))),
            ..about(&self.sender, &None, verb, object)
        }]
    }
}

/// What an item stands for. Only its id in the GraphQL API is sent.
fn content(sent: &proto::ProjectItemInfo) -> Option<Object> {
    let kind = match sent.content_type.as_deref()? {
        "Issue" => "issue",
        "PullRequest" => "pull_request",
        "DraftIssue" => "draft_issue",
        _ => "item",
    };
    Some(thing(kind, sent.content_node_id.as_ref()))
}

/// The field that has another value.
fn field(sent: &proto::ChangedFieldValue) -> Object {
    let title = first([&sent.field_name, &sent.field_type]);
    Object { title, ..thing("field", sent.field_node_id.as_ref()) }
}

impl Kind for proto::ProjectsV2Item {
    key!("project", "projects_v2_item.project_node_id");

    times! {
        "created" => "projects_v2_item.created_at" "projects_v2_item.updated_at",
        "archived" => "projects_v2_item.archived_at" "projects_v2_item.updated_at",
        _ => "projects_v2_item.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.projects_v2_item else { return Vec::new() };
        let value = self.changes.as_ref().and_then(|changes| changes.field_value.as_ref());
        let body = self.changes.as_ref().and_then(|changes| changes.body.as_ref()?.to.as_ref());
        let verb = match said(&self.action) {
            "created" => Verb::Post,
            "deleted" => Verb::Delete,
            // The words of a draft; else it is about a value.
            "edited" if body.is_some() => Verb::Edit,
            _ => Verb::Update,
        };
        let now = value.and_then(|value| shown(value.to.as_ref()));
        // The column of a board is the field that GitHub makes with each project.
        let column = value.filter(|value| value.field_name.as_deref() == Some("Status"));
        let status = match column {
            _ if sent.archived_at.is_some() => "archived".to_owned(),
            Some(_) => now.clone().unwrap_or_default(),
            None => String::new(),
        };
        let id = first([&sent.node_id, &sent.id]);
        let object = Object { status, ..matter("project_item", id, [&None, &None], &sent.creator, None) };
        let number = value.and_then(|value| value.project_number);
        vec![Activity {
            instrument: value.map(field).or_else(|| content(sent)),
            text: now.or_else(|| written(verb, body)),
            ..within_project(&self.sender, verb, object, sent.project_node_id.as_ref(), number)
        }]
    }
}

impl Kind for proto::ProjectsV2StatusUpdate {
    key!("project", "projects_v2_status_update.project_node_id");

    times! {
        "created" => "projects_v2_status_update.created_at" "projects_v2_status_update.updated_at",
        _ => "projects_v2_status_update.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.projects_v2_status_update else { return Vec::new() };
        let verb = thing_verb(said(&self.action));
        let object = Object {
            status: text(sent.status.as_ref()),
            ..matter("status_update", first([&sent.node_id, &sent.id]), [&None, &None], &sent.creator, None)
        };
        vec![Activity {
            text: written(verb, sent.body.as_ref()),
            ..within_project(&self.sender, verb, object, sent.project_node_id.as_ref(), None)
        }]
    }
}
