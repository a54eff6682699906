//! Builds an event: its context, its bytes, and its activities.

use std::borrow::Cow;

use common::activity::v1::Activity;
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
}

impl Draft {
    /// The event with a typed message, and its activities.
    pub fn typed<K: Kind>(mut self, delivery: &Delivery, tenants: &dyn Tenants, mut message: K) -> ParsedEvent {
        let context = self.context(delivery, tenants);
        let ce_type = K::full_name();
        message.set_context(context.clone());
        let mut activities = message.activities();
        for (ordinal, activity) in (0..).zip(&mut activities) {
            activity.id = format!("{}-{ordinal}", self.id);
            activity.ordinal = ordinal;
            activity.event_type.clone_from(&ce_type);
            activity.occurred_at = context.occurred_at;
            activity.context = Some(context.clone());
        }
        message.unknown_mut().extend(std::mem::take(&mut self.sent));
        self.event(context, Cow::Borrowed(K::TOPIC), ce_type, message.encode_to_vec(), activities)
    }

    /// The event as one of a kind that is not known: kept whole, without activities.
    /// `json` is the event as it was cut out of its delivery, `envelope` what stood around it.
    pub fn other(
        self,
        delivery: &Delivery,
        tenants: &dyn Tenants,
        kind: impl Into<String>,
        json: String,
        envelope: String,
    ) -> ParsedEvent {
        let context = self.context(delivery, tenants);
        let other = Other { context: Some(context.clone()), kind: kind.into(), json, envelope };
        let topic = Cow::Owned(topics::other(self.platform).name().to_owned());
        self.event(context, topic, Other::full_name(), other.encode_to_vec(), Vec::new())
    }

    fn context(&self, delivery: &Delivery, tenants: &dyn Tenants) -> Context {
        let received_at = delivery.received_at.unwrap_or_default();
        let (occurred_at, time_quality) = time::judge(self.time.sent, self.time.time, &received_at);
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
