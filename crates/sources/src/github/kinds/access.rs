//! Who may get at what.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1 as proto;

use super::objects::{organization, page, person, thing};
use super::{activity, said, text, thing_verb};
use crate::kind::Kind;

impl Kind for proto::DeployKey {
    key!("deploy_key", "key.id");

    times! {
        "created" => "key.created_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(key) = &self.key else { return Vec::new() };
        let verb = thing_verb(said(&self.action));
        let object = Object {
            url: page(&self.repository, "settings/keys"),
            title: text(key.title.as_ref()),
            status: if verb == Verb::Delete { "deleted" } else { "" }.to_owned(),
            ..thing("deploy_key", key.id.as_ref())
        };
        vec![activity(&self.sender, &self.repository, verb, object)]
    }
}

impl Kind for proto::OrgBlock {
    key!("user", "blocked_user.id");

    fn activities(&self) -> Vec<Activity> {
        let Some(user) = &self.blocked_user else { return Vec::new() };
        let verb = match said(&self.action) {
            "blocked" => Verb::Block,
            "unblocked" => Verb::Unblock,
            _ => Verb::Update,
        };
        let target = self.organization.as_ref().map(organization);
        vec![Activity { target, ..activity(&self.sender, &None, verb, person(user)) }]
    }
}
