//! A change of one field into its event.

use common::json::{Object, Value};

use super::cut::{Around, Entry};
use super::envelope::place_in_change;
use super::identity::{Occurrence, What};
use super::parser::{Parser, Problem};
use super::{kinds, time};
use crate::kind::Time;
use crate::members::Members as _;
use crate::{Draft, ParsedEvent, Reason, body};

impl<'a> Parser<'a> {
    /// The event of a change.
    pub(super) fn change(
        &self,
        entry: &Entry<'a>,
        around: &Around<'a>,
        text: &str,
        mut change: Object,
    ) -> Result<ParsedEvent, Problem> {
        let field = match change.remove("field") {
            Some(Value::String(field)) => field,
            Some(other) => {
                return Err((Reason::WrongShape, format!("field is {}, not a string", body::kind(&other))));
            }
            None => return Err((Reason::WrongShape, "a change has no field".into())),
        };
        let object = self.object().unwrap_or_default();
        let known = matches!(object, "page" | "instagram" | "whatsapp_business_account");
        let kind = if known { kinds::of_change(self.platform, &field, change.get("value"))? } else { None };
        let (subject, time) = match (kind, change.get("value").and_then(Value::as_object)) {
            (Some(kind), Some(value)) => ((kind.subject)(value, &entry.account), (kind.time)(value)),
            (None, Some(value)) => kinds::of_other(self.platform, value),
            (_, None) => (None, Time::default()),
        };
        let time = match change.get("value").and_then(Value::as_object) {
            Some(value) => time::within_redelivery(time, value, entry.sent_at.as_ref()),
            None => time,
        };
        let what = match change.get("value") {
            Some(value) if change.len() == 1 => What::Value(value),
            _ => What::Change(&change),
        };
        let occurrence = Occurrence { field: &field, what, own_time: time.tells_apart() };
        let value = change.get("value").and_then(Value::as_object);
        let action = value.and_then(|value| value.str("verb")).unwrap_or(&field);
        let draft = self.draft(entry, &occurrence, time, subject, (action, value));
        let whole = if kind.is_none() { kinds::of_whole(object, &field) } else { None };
        if let Some(kind) = whole {
            return Ok(self.whole(draft, around, kind, field, change));
        }
        Ok(match (kind, change.remove("value")) {
            (Some(kind), Some(Value::Object(value))) => self.typed(draft, around, kind, value, Some(field), &change),
            (_, value) => {
                let item = value.as_ref().and_then(|value| value.as_object()?.text("item"));
                let kind = item.map_or_else(|| field.clone(), |item| format!("{field}/{item}"));
                self.other(draft, around, kind, text)
            }
        })
    }
    /// An event that is of the whole change and not of its value, which can be anything, or missing.
    fn whole(
        &self,
        mut draft: Draft,
        around: &Around<'a>,
        kind: &kinds::Entry,
        field: String,
        change: Object,
    ) -> ParsedEvent {
        let sent = std::mem::take(&mut draft.sent).into_iter();
        draft.sent = sent.map(|(placed, text)| (place_in_change(around.list, &placed), text)).collect();
        self.typed(draft, around, kind, change, Some(field), &Object::new())
    }
}
