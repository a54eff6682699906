//! HMAC headers, read strictly and compared in constant time.
//!
//! A header is read strictly: exactly once there, ASCII, of exactly the length of a digest. What is not so
//! is malformed, which tells an operator more than a mismatch does. How long a comparison takes tells
//! nothing: each secret is tried, whichever fits, and no byte of a digest ends a comparison early.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit as _};
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use sha1::Sha1;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

use crate::{VerifyError, secrets::texts};

/// The hash behind an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC-SHA1: only where a platform has nothing better.
    Sha1,
    /// HMAC-SHA256.
    Sha256,
}

/// How a digest is written in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Hex digits, lowercase or uppercase.
    Hex,
    /// Standard Base64 with padding.
    Base64,
}

impl Algorithm {
    /// Bytes of a digest.
    pub fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
        }
    }

    /// The HMAC of the parts, one after the other.
    pub fn hmac(self, key: &[u8], parts: &[&[u8]]) -> Vec<u8> {
        // An HMAC takes keys of any length, so there is no error to come out of `new_from_slice`; the empty
        // digest that would stand for it fits no header, because a header has `length` bytes.
        match self {
            Self::Sha1 => Hmac::<Sha1>::new_from_slice(key).map(|mac| digest(mac, parts)),
            Self::Sha256 => Hmac::<Sha256>::new_from_slice(key).map(|mac| digest(mac, parts)),
        }
        .unwrap_or_default()
    }
}

fn digest<M: hmac::Mac>(mut mac: M, parts: &[&[u8]]) -> Vec<u8> {
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().to_vec()
}

/// The value of a header that must be there exactly once.
pub fn header<'a>(headers: &'a HeaderMap, name: &'static str) -> Result<&'a str, VerifyError> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(VerifyError::Missing(name))?;
    if values.next().is_some() {
        // Which of them would a proxy before us have checked?
        return Err(VerifyError::Malformed(name));
    }
    value.to_str().map_err(|_| VerifyError::Malformed(name))
}

/// Reads a digest. `None` where it is not one of this algorithm in this encoding.
pub fn decode(algorithm: Algorithm, encoding: Encoding, text: &str) -> Option<Vec<u8>> {
    let digest = match encoding {
        Encoding::Hex => hex::decode(text).ok()?,
        Encoding::Base64 => BASE64.decode(text).ok()?,
    };
    (digest.len() == algorithm.length()).then_some(digest)
}

/// Verifies a header of the form `<prefix><digest>` over the body, for example `sha256=` and hex digits.
pub fn verify_header(
    headers: &HeaderMap,
    name: &'static str,
    prefix: &str,
    (algorithm, encoding): (Algorithm, Encoding),
    body: &[u8],
    secrets: &[SecretString],
) -> Result<(), VerifyError> {
    if secrets.is_empty() {
        return Err(VerifyError::NoSecret);
    }
    let digest = header(headers, name)?
        .strip_prefix(prefix)
        .and_then(|text| decode(algorithm, encoding, text))
        .ok_or(VerifyError::Malformed(name))?;
    let keys = secrets.iter().flat_map(|secret| texts(secret.expose_secret())).map(str::as_bytes);
    verify_digests(algorithm, keys, &[body], &[digest])
}

/// Whether any of the keys makes any of the digests from the parts. An empty key makes none: it would let
/// everybody in.
pub fn verify_digests<'a>(
    algorithm: Algorithm,
    keys: impl Iterator<Item = &'a [u8]>,
    parts: &[&[u8]],
    digests: &[Vec<u8>],
) -> Result<(), VerifyError> {
    let mut fits = Choice::from(0);
    let mut usable = false;
    for key in keys.filter(|key| !key.is_empty()) {
        usable = true;
        let expected = algorithm.hmac(key, parts);
        for digest in digests {
            fits |= expected.ct_eq(digest);
        }
    }
    match (usable, bool::from(fits)) {
        (false, _) => Err(VerifyError::NoSecret),
        (true, false) => Err(VerifyError::Mismatch),
        (true, true) => Ok(()),
    }
}

#[cfg(test)]
#[path = "signature_tests.rs"]
mod tests;
