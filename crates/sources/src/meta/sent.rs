//! The bytes of items as they came, for those whose events cannot be written. Seldom wanted, so a delivery is cut once
//! more for them and nothing is kept of the others.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use common::json::{self, Sent};
use common::raw::v1::Delivery;

use super::delivery;
use super::texts::Texts;
use crate::{Tenants, body};

/// Whose it is does not matter for its bytes.
struct Nobody;

impl Tenants for Nobody {
    fn tenant_of(&self, _endpoint: &str, _account_id: &str) -> Option<&str> {
        None
    }
}

/// The items at these positions.
pub(super) fn items(delivery: &Delivery, positions: &BTreeSet<u32>) -> BTreeMap<u32, Bytes> {
    let whole = || positions.iter().map(|position| (*position, delivery.body.clone())).collect();
    let mut texts = Texts::wanted(positions);
    let text = std::str::from_utf8(body::unmarked(&delivery.body)).unwrap_or_default();
    match delivery::parse_text(delivery, &Nobody, text, Sent::new(), &mut texts) {
        // A delivery of one item is that item in its envelope, as it was signed.
        Ok(parsed) | Err(parsed) if parsed.items.len() == 1 => return whole(),
        // Only a repaired text can be cut, and nobody sent that.
        Err(_) if json::repair(text).is_some() => return whole(),
        // Something could not be cut, and is refused. The others are as they came.
        Ok(_) | Err(_) => {}
    }
    texts.kept().into_iter().map(|(position, text)| (position, text.into())).collect()
}

#[cfg(test)]
#[path = "sent_tests.rs"]
mod tests;
