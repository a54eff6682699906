//! A delivery's body as JSON, and whose it is.

use std::borrow::Cow;

use common::json::{self, Object};
use serde_json::value::RawValue;

use crate::body::{text_of, unmarked};

/// Whose a delivery is: the id of the first of these members that is there.
pub(super) const OWNERS: [&str; 4] = ["repository", "organization", "installation", "enterprise"];

/// The JSON of a body. A webhook's content type is a form unless its owner chose JSON, and then the JSON is
/// the form's field `payload`. Told apart by the body itself, because a form cannot begin like an object:
/// so it does not matter what a proxy made of the content type. `None`: a form without that field.
pub(super) fn json(body: &[u8]) -> Option<Cow<'_, [u8]>> {
    let body = unmarked(body);
    let begins_like_form = body.first().is_some_and(u8::is_ascii_lowercase) && body.contains(&b'=');
    if !begins_like_form {
        return Some(Cow::Borrowed(body));
    }
    let payload = body.split(|&byte| byte == b'&').find_map(|pair| pair.strip_prefix(b"payload="))?;
    Some(Cow::Owned(decode(payload)))
}

/// Undoes the encoding of a form. What is no `%` with two hex digits stands for itself, as in browsers.
fn decode(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        let escaped = match (byte, after) {
            (b'%', [high, low, ..]) => hex_digit(*high).zip(hex_digit(*low)),
            _ => None,
        };
        out.push(match (byte, escaped) {
            (_, Some((high, low))) => {
                rest = &after[2..];
                high << 4 | low
            }
            (b'+', None) => b' ',
            (other, None) => other,
        });
    }
    out
}

fn hex_digit(byte: u8) -> Option<u8> {
    match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        b'A'..=b'F' => Some(byte - b'A' + 10),
        _ => None,
    }
}

/// The account, from JSON of which nothing but the ids is read.
pub(super) fn account_in(json: &[u8]) -> Option<String> {
    /// Whatever the members are, they are skipped and not understood: that needs no memory and no stack.
    #[derive(serde::Deserialize)]
    struct Owners<'a> {
        #[serde(borrow)]
        repository: Option<&'a RawValue>,
        #[serde(borrow)]
        organization: Option<&'a RawValue>,
        #[serde(borrow)]
        installation: Option<&'a RawValue>,
        #[serde(borrow)]
        enterprise: Option<&'a RawValue>,
    }
    #[derive(serde::Deserialize)]
    struct Owner<'a> {
        #[serde(borrow)]
        id: &'a RawValue,
    }
    let json = unmarked(json);
    // A list would be taken for the members in their order.
    if !json.trim_ascii_start().starts_with(b"{") {
        return None;
    }
    let owners: Owners<'_> = serde_json::from_slice(json).ok()?;
    [owners.repository, owners.organization, owners.installation, owners.enterprise].into_iter().flatten().find_map(
        |raw| {
            if !raw.get().starts_with('{') {
                return None;
            }
            let owner: Owner<'_> = serde_json::from_str(raw.get()).ok()?;
            // Anything but a text or a number would have to be read to be told apart; neither begins like these.
            if owner.id.get().starts_with(['{', '[']) {
                return None;
            }
            text_of(&json::parse(owner.id.get()).ok()?)
        },
    )
}

/// The account: the id of the repository, else of the organization, of the installation, of the enterprise.
pub(super) fn account_of(object: &Object) -> Option<String> {
    OWNERS.iter().find_map(|name| text_of(object.get(*name)?.get("id")?))
}

#[cfg(test)]
#[path = "delivery_tests.rs"]
mod tests;
