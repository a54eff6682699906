//! What a secret stands for, and what is wrong with one that can verify nothing.
//!
//! A secret comes out of a file, a variable or a page, and brings with it what stood around it there: a byte order
//! mark, blanks, a line break. Whether the platform has them too nobody knows, so a secret that is a text stands for
//! itself as it is and for itself without them, and whichever the sender signs with verifies.

pub use common::registrations::trimmed;

/// Why a secret, or a verify token, cannot be used. Says nothing of the secret itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{}: {}", self.problem(), self.fix())]
pub enum SecretProblem {
    /// No bytes, or nothing but blanks.
    Empty,
    /// A line break, or another control character, in the middle.
    Lines,
    /// `whsec_`, and nothing behind it, or no Base64.
    NotBase64,
    /// `whsec_`, and something before it.
    Prefixed,
    /// `whsk_`: what signs with the asymmetric scheme.
    SigningHalf,
    /// `whpk_`: what verifies the asymmetric scheme, which is not known here.
    PublicHalf,
}

impl SecretProblem {
    /// Every problem there is.
    pub const ALL: &'static [Self] =
        &[Self::Empty, Self::Lines, Self::NotBase64, Self::Prefixed, Self::SigningHalf, Self::PublicHalf];

    /// What is wrong.
    pub fn problem(self) -> &'static str {
        match self {
            Self::Empty => "is empty, or only whitespace",
            Self::Lines => "holds a line break or another control character in its middle",
            Self::NotBase64 => "has no Base64 after its whsec_, so no signature can match it",
            Self::Prefixed => "has something before its whsec_",
            Self::SigningHalf => "is the signing half of a key pair (whsk_), which only the sender may have",
            Self::PublicHalf => {
                "is the public half of a key pair (whpk_), and signatures of version v1a are not verified"
            }
        }
    }

    /// What to do.
    pub fn fix(self) -> &'static str {
        match self {
            Self::Empty => "give the one that is set at the platform",
            Self::Lines => "give each secret by itself, in one line",
            Self::NotBase64 => "copy the whole secret from the sender, and nothing else",
            Self::Prefixed => "give the secret alone, without a name or quotes around it",
            Self::SigningHalf => {
                "give the sender's symmetric secret (whsec_), and have the sender make a new key pair, because this \
                 one is exposed"
            }
            Self::PublicHalf => "give the sender's symmetric secret (whsec_)",
        }
    }
}

/// The texts that a secret stands for: itself, and where they differ itself without what is around it. None is empty.
pub fn texts(secret: &str) -> impl Iterator<Item = &str> {
    let inner = trimmed(secret);
    [secret, inner].into_iter().take(if inner.len() == secret.len() { 1 } else { 2 }).filter(|text| !text.is_empty())
}

/// Whether a text can be a secret of any source: something, in one line.
pub fn check_text(secret: &str) -> Result<(), SecretProblem> {
    let inner = trimmed(secret);
    if inner.is_empty() {
        return Err(SecretProblem::Empty);
    }
    if inner.chars().any(char::is_control) { Err(SecretProblem::Lines) } else { Ok(()) }
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
