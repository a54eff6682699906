//! The GET by which Meta checks that an endpoint is the app's: a token that both know, and a challenge
//! to echo.

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use crate::{Challenge, Refusal, secrets::texts};

/// The longest challenge that is echoed, in bytes. Meta's are numbers of some 10 digits.
const MAX_CHALLENGE: usize = 256;

const MODE: &str = "hub.mode";
const TOKEN: &str = "hub.verify_token";
const CHALLENGE: &str = "hub.challenge";

/// Answers the raw query string of a GET.
pub(super) fn answer(query: &str, verify_token: Option<&SecretString>) -> Result<Challenge, Refusal> {
    if parameter(query, MODE)? != "subscribe" {
        return Err(Refusal::Malformed(MODE));
    }
    let token = parameter(query, TOKEN)?;
    let challenge = parameter(query, CHALLENGE)?;
    if challenge.is_empty() || challenge.len() > MAX_CHALLENGE || challenge.chars().any(char::is_control) {
        return Err(Refusal::Malformed(CHALLENGE));
    }
    let expected = verify_token.map(|token| token.expose_secret()).filter(|token| !token.is_empty());
    let expected = expected.ok_or(Refusal::NoToken)?;
    // Digests are compared, so that the time taken does not even tell the length of the token.
    let token = Sha256::digest(token.as_bytes());
    let same = |text: &str| token.ct_eq(&Sha256::digest(text.as_bytes()));
    if bool::from(texts(expected).map(same).fold(Choice::from(0), |any, one| any | one)) {
        Ok(Challenge { body: challenge })
    } else {
        Err(Refusal::WrongToken)
    }
}

/// The decoded value of a parameter that must be there exactly once.
fn parameter(query: &str, name: &'static str) -> Result<String, Refusal> {
    let mut values = query.split('&').filter_map(|pair| {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decode(key).as_deref() == Some(name)).then_some(value)
    });
    let value = values.next().and_then(decode).ok_or(Refusal::Malformed(name))?;
    if values.next().is_some() {
        return Err(Refusal::Malformed(name));
    }
    Ok(value)
}

/// Undoes the encoding of a form: `+` and `%xx`. `None` where it is not one, or not UTF-8.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => hex_digit(rest.next()?)? << 4 | hex_digit(rest.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok()
}

fn hex_digit(byte: u8) -> Option<u8> {
    // A hex digit is below 16.
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
