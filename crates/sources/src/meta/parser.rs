//! What all ways of reading an item have in common: its draft, and the events that are made of it.

use common::identity::Id;
use common::json::{Object, Sent, Value};
use common::raw::v1;
use serde_json::value::RawValue;

use super::cut::{Around, Delivery, Entry};
use super::envelope::envelope;
use super::frame::frame;
use super::identity::Occurrence;
use super::kinds;
use super::texts::Texts;
use crate::body;
use crate::kind::Time;
use crate::{Draft, Item, ParseRefusal, ParsedEvent, Reason, Tenants};

/// Reads a delivery, item by item.
pub(super) struct Parser<'a> {
    pub(super) delivery: &'a v1::Delivery,
    pub(super) tenants: &'a dyn Tenants,
    pub(super) platform: &'static str,
    pub(super) around: Delivery<'a>,
    pub(super) items: Vec<Item>,
    /// Whether an entry, or a change that holds several events, could not be cut.
    pub(super) uncut: bool,
    /// What of names could not be read as it was sent, for the first item.
    pub(super) names: Sent,
    /// What of the present item could not.
    pub(super) sent: Sent,
    pub(super) texts: &'a mut Texts,
}

/// Why one item is refused.
pub(super) type Problem = (Reason, String);

impl<'a> Parser<'a> {
    /// The position of the next item. A body is far smaller than 4 GiB.
    pub(super) fn index(&self) -> u32 {
        u32::try_from(self.items.len()).unwrap_or(u32::MAX)
    }

    pub(super) fn refuse(&mut self, (reason, message): Problem, json: String) {
        let index = self.index();
        self.items.push(Item::Refused(ParseRefusal::item(index, reason, message, json)));
    }

    /// What the delivery is about. One that does not say is taken by its fields: like that of a page.
    pub(super) fn object(&self) -> Option<&str> {
        (!self.around.odd_object).then(|| self.around.object.as_deref().unwrap_or("page"))
    }

    /// `action` is what the platform calls what was done, with what was sent about it.
    pub(super) fn draft(
        &self,
        entry: &Entry<'a>,
        occurrence: &Occurrence<'_>,
        time: Time,
        subject: Option<String>,
        (action, value): (&str, Option<&Object>),
    ) -> Draft {
        let (tenant, sent_at) = (&self.delivery.tenant, entry.time.map(RawValue::get));
        let mut id = occurrence.id(self.platform, tenant, &entry.account, sent_at);
        if !self.sent.is_empty() {
            // Two that were sent differently read the same: they stay two.
            let sent = self.sent.iter().flat_map(|(pointer, text)| [pointer.as_bytes(), text.as_bytes()]);
            let parts: Vec<&[u8]> = std::iter::once(&id.0[..]).chain(sent).collect();
            id = Id::of(self.platform, tenant, &parts);
        }
        Draft {
            platform: self.platform,
            id,
            index: self.index(),
            account_id: entry.account.clone(),
            subject: subject.unwrap_or_else(|| entry.account.clone()),
            time: time.reported(entry.sent_at.as_ref()),
            sent: self.sent.clone(),
            frame: frame(self.platform, &entry.account, action, value),
        }
    }

    pub(super) fn typed(
        &self,
        draft: Draft,
        around: &Around<'a>,
        kind: &kinds::Entry,
        value: Object,
        field: Option<String>,
        change: &Object,
    ) -> ParsedEvent {
        let (envelope, unknown) = envelope(around, field, change);
        let (delivery, tenants) = (self.delivery, self.tenants);
        let beside = kinds::Beside::default();
        (kind.build)(kinds::Parts { draft, delivery, tenants, value, envelope, unknown, beside })
    }

    pub(super) fn other(&self, draft: Draft, around: &Around<'a>, kind: String, text: &str) -> ParsedEvent {
        draft.other(self.delivery, self.tenants, kind, text.to_owned(), around.with(None))
    }
}

/// An item from its text.
pub(super) fn read(text: &str) -> Result<(Value, Sent), Problem> {
    body::value_as_sent(text.as_bytes()).map_err(|error| (error.reason, format!("an item cannot be read: {error}")))
}
