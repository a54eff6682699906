//! How platforms sign, and how they write the secrets that they sign with.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

/// How a platform signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `X-Hub-Signature-256` over the body.
    Hub,
    /// Standard Webhooks: over id, time of sending and body.
    StandardWebhooks,
}

impl Scheme {
    /// As the door calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub-sha256",
            Self::StandardWebhooks => "standard-webhooks-v1",
        }
    }
}

/// How a platform writes its secrets.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SecretForm {
    /// So many random bytes as hexadecimal digits.
    Hex(usize),
    /// `whsec_` and base64.
    Whsec,
}

impl SecretForm {
    /// A secret of random bytes.
    pub(crate) fn write(self, bytes: &[u8; 32]) -> String {
        match self {
            Self::Hex(count) => hex::encode(&bytes[..count.min(bytes.len())]),
            Self::Whsec => format!("whsec_{}", BASE64.encode(bytes)),
        }
    }

    /// The key in a secret.
    pub(crate) fn key(self, secret: &str) -> Option<Vec<u8>> {
        match self {
            Self::Hex(_) => Some(secret.as_bytes().to_vec()),
            Self::Whsec => BASE64.decode(secret.strip_prefix("whsec_")?).ok().filter(|key| !key.is_empty()),
        }
    }
}
