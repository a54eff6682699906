//! Whose delivery it is.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::body::{string, unmarked};

/// The longest id of an account, in bytes. Meta's are numbers of some 17 digits.
const MAX_ID: usize = 256;

#[derive(Deserialize)]
struct Heads<'a> {
    #[serde(borrow)]
    entry: Vec<Head<'a>>,
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    id: &'a RawValue,
}

/// The account that all entries of a delivery are about. `None` where there are several, or none.
///
/// Only the ids are looked at: all else is skipped without being built.
pub(super) fn of_delivery(body: &[u8]) -> Option<String> {
    let heads: Heads<'_> = serde_json::from_slice(unmarked(body)).ok()?;
    let (first, rest) = heads.entry.split_first()?;
    let account = of_entry(first.id)?;
    let same = |head: &Head<'_>| head.id.get() == first.id.get() || of_entry(head.id).as_ref() == Some(&account);
    rest.iter().all(same).then_some(account)
}

/// An account from its JSON text: a string or a number.
pub(super) fn of_entry(id: &RawValue) -> Option<String> {
    let text = id.get();
    if text.len() > MAX_ID {
        return None;
    }
    let account = match text.as_bytes().first()? {
        b'"' => string(text)?,
        b'-' | b'0'..=b'9' => text.to_owned(),
        _ => return None,
    };
    (!account.is_empty()).then_some(account)
}

#[cfg(test)]
#[path = "account_tests.rs"]
mod tests;
