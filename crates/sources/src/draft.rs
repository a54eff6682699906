//! Builds an event: its context, its bytes, and its activities.

use std::borrow::Cow;

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::event::v1::{Context, Other};
use common::json::Sent;
use common::{identity::Id, raw::v1::Delivery, time, topics};
use prost::{Message as _, Name as _};

use crate::kind::{Kind, Time};
use crate::{ParsedEvent, Tenants};

/// What is known about an event before its message is: who, where, when.
#[derive(Debug, Clone)]
pub struct Draft {
    /// `facebook`, `instagram`, `github`, …
    pub platform: &'static str,
    /// The same for every delivery of this occurrence.
    pub id: Id,
    /// The position in the delivery.
    pub index: u32,
    /// The platform's id of the account it was sent for; empty where there is none.
    pub account_id: String,
    /// What the event is about: the record's key.
    pub subject: String,
    /// When it happened.
    pub time: Time,
    /// What could not be read as it was sent, by its path in the event's unknown map.
    pub sent: Sent,
    /// What its activities have in common.
    pub frame: Frame,
}

/// What holds for every activity of an event, unless its kind says something else.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// The platform's own word for what was done, and where it has none, for the kind.
    pub action: String,
    /// Whose it is, as far as the delivery says: the repository, page or organization.
    pub account: Option<Object>,
    /// Who did it, where the event is of no known kind.
    pub actor: Option<Actor>,
    /// What it was done to, where the event is of no known kind.
    pub object: Option<Object>,
}

impl Draft {
    /// The event with a typed message, and its activities.
    pub fn typed<K: Kind>(mut self, delivery: &Delivery, tenants: &dyn Tenants, mut message: K) -> ParsedEvent {
        let context = self.context(delivery, tenants);
        let ce_type = K::full_name();
        message.set_context(context.clone());
        let mut activities = message.activities();
        self.complete(&mut activities, &ce_type, &context, delivery, tenants);
        message.unknown_mut().extend(std::mem::take(&mut self.sent));
        self.event(context, Cow::Borrowed(K::TOPIC), ce_type, message.encode_to_vec(), activities)
    }

    /// The event as one of a kind that is not known: kept whole, with one activity that says what is known.
    /// `json` is the event as it was cut out of its delivery, `envelope` what stood around it.
    pub fn other(
        mut self,
        delivery: &Delivery,
        tenants: &dyn Tenants,
        kind: impl Into<String>,
        json: String,
        envelope: String,
    ) -> ParsedEvent {
        let (context, kind, ce_type) = (self.context(delivery, tenants), kind.into(), Other::full_name());
        let named = || Object { r#type: kind.clone(), ..Object::default() };
        let mut activities = vec![Activity {
            verb: Verb::Other.into(),
            actor: self.frame.actor.take(),
            object: Some(self.frame.object.take().unwrap_or_else(named)),
            ..Activity::default()
        }];
        self.complete(&mut activities, &ce_type, &context, delivery, tenants);
        let other = Other { context: Some(context.clone()), kind, json, envelope };
        let topic = Cow::Owned(topics::other(self.platform).name().to_owned());
        self.event(context, topic, ce_type, other.encode_to_vec(), activities)
    }

    /// Adds what holds for all activities of an event.
    fn complete(
        &self,
        activities: &mut [Activity],
        ce_type: &str,
        context: &Context,
        delivery: &Delivery,
        tenants: &dyn Tenants,
    ) {
        let mut account = self.frame.account.clone();
        if let Some(account) = account.as_mut().filter(|account| account.title.is_empty())
            && let Some(name) = tenants.name_of(&delivery.endpoint, &self.account_id)
        {
            name.clone_into(&mut account.title);
        }
        for (ordinal, activity) in (0..).zip(activities) {
            activity.id = format!("{}-{ordinal}", self.id);
            activity.ordinal = ordinal;
            ce_type.clone_into(&mut activity.event_type);
            activity.occurred_at = context.occurred_at;
            activity.context = Some(context.clone());
            if activity.action.is_empty() {
                activity.action.clone_from(&self.frame.action);
            }
            if activity.account.is_none() {
                activity.account.clone_from(&account);
            }
        }
    }

    fn context(&self, delivery: &Delivery, tenants: &dyn Tenants) -> Context {
        let received_at = delivery.received_at.unwrap_or_default();
        let (occurred_at, time_quality) = time::judge(&self.time.sent, self.time.reported, &received_at);
        let tenant = tenants.tenant_of(&delivery.endpoint, &self.account_id).unwrap_or(&delivery.tenant);
        Context {
            event_id: self.id.to_string(),
            tenant: tenant.to_owned(),
            endpoint: delivery.endpoint.clone(),
            source: self.platform.to_owned(),
            account_id: self.account_id.clone(),
            occurred_at,
            time_quality: time_quality.into(),
            received_at: delivery.received_at,
            delivery_id: delivery.delivery_id.clone(),
            index: self.index,
        }
    }

    fn event(
        self,
        context: Context,
        topic: Cow<'static, str>,
        ce_type: String,
        payload: Vec<u8>,
        activities: Vec<Activity>,
    ) -> ParsedEvent {
        ParsedEvent {
            id: self.id,
            index: self.index,
            topic,
            ce_type,
            platform: self.platform,
            tenant: context.tenant,
            account_id: self.account_id,
            subject: self.subject,
            occurred_at: context.occurred_at,
            payload,
            activities,
        }
    }
}

#[cfg(test)]
#[path = "draft_tests.rs"]
mod tests;
