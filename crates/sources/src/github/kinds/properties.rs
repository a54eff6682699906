//! Custom properties, and the values that repositories have of them.

use std::collections::HashMap;

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1::{self as proto, EnterpriseInfo, OrganizationInfo};

use super::objects::{organization, thing};
use super::repository::to_repository;
use super::{MOST, activity, first, said, shown, text, thing_verb, written};
use crate::kind::Kind;

/// A property, which has a name only: `90210007:property/tier`.
fn property(owner: &Option<OrganizationInfo>, over: &Option<EnterpriseInfo>, name: &str) -> Object {
    let owner = owner.as_ref().and_then(|owner| owner.id.as_ref());
    let id = match owner.or(over.as_ref().and_then(|over| over.id.as_ref())) {
        Some(owner) => format!("{owner}:property/{name}"),
        None => name.to_owned(),
    };
    Object { title: name.to_owned(), ..thing("custom_property", Some(&id)) }
}

fn enterprise(sent: &EnterpriseInfo) -> Object {
    Object {
        url: text(sent.html_url.as_ref()),
        title: first([&sent.name, &sent.slug]),
        ..thing("enterprise", sent.id.as_ref())
    }
}

impl Kind for proto::CustomProperty {
    key!("custom_property", "definition.property_name");

    fn activities(&self) -> Vec<Activity> {
        let Some(sent) = &self.definition else { return Vec::new() };
        let verb = match said(&self.action) {
            "updated" => Verb::Edit,
            other => thing_verb(other),
        };
        let owner = self.organization.as_ref().map(organization);
        let status = if verb == Verb::Delete { "deleted" } else { "" }.to_owned();
        let name = sent.property_name.as_deref().unwrap_or_default();
        let object = Object { status, ..property(&self.organization, &self.enterprise, name) };
        vec![Activity {
            target: owner.or_else(|| self.enterprise.as_ref().map(enterprise)),
            text: written(verb, sent.description.as_ref()),
            ..activity(&self.sender, &None, verb, object)
        }]
    }
}

impl Kind for proto::CustomPropertyValues {
    /// One activity for each property that has another value, whose words are the value.
    fn activities(&self) -> Vec<Activity> {
        let before = self.old_property_values.iter().map(|old| (&old.property_name, &old.value));
        let before: HashMap<_, _> = before.collect();
        let changed = self
            .new_property_values
            .iter()
            .filter(|new| before.get(&new.property_name).is_none_or(|value| **value != new.value));
        let Some(update) = to_repository(&self.sender, &self.repository, Verb::Update).pop() else { return Vec::new() };
        let named =
            |name: &Option<String>| property(&self.organization, &self.enterprise, name.as_deref().unwrap_or_default());
        let all: Vec<Activity> = changed
            .take(MOST)
            .map(|new| Activity {
                instrument: Some(named(&new.property_name)),
                text: shown(new.value.as_ref()),
                ..update.clone()
            })
            .collect();
        if all.is_empty() { vec![update] } else { all }
    }
}
