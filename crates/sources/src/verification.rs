//! Whether a sender is who it says.

use secrecy::SecretString;

/// An endpoint's secrets, as they are now.
#[derive(Debug, Clone, Copy)]
pub struct Secrets<'a> {
    /// Any of these verifies a delivery. Expired ones are not among them.
    pub active: &'a [SecretString],
    /// What the platform must name in its handshake, where it has one.
    pub verify_token: Option<&'a SecretString>,
}

/// The answer to a handshake: 200, `text/plain`, this body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// What to echo.
    pub body: String,
}

/// Why a handshake is not answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The query is not a handshake of this platform: 400.
    #[error("the query parameter {0} is missing or malformed")]
    Malformed(&'static str),
    /// The token is not the endpoint's: 403.
    #[error("the verify token does not match that of the endpoint")]
    WrongToken,
    /// The endpoint has no verify token: 403, until one is registered.
    #[error("the endpoint has no verify token: register one")]
    NoToken,
}

/// Why a delivery is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// A header that the scheme needs is not there.
    #[error("the header {0} is missing: check that a secret is set at the sender")]
    Missing(&'static str),
    /// A header that the scheme needs is there more than once, or cannot be read.
    #[error("the header {0} is malformed")]
    Malformed(&'static str),
    /// The signature was made with another secret, or over other bytes.
    #[error("the signature matches none of the endpoint's secrets")]
    Mismatch,
    /// The timestamp is outside of the tolerance: a replay, or a clock that is wrong.
    #[error("the timestamp is outside the tolerance: check the clocks of the sender and of this server")]
    Stale,
    /// The endpoint has no secret that is still active.
    #[error("the endpoint has no active secret: register one")]
    NoSecret,
}

impl VerifyError {
    /// A stable code in `snake_case`, for metrics and answers.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Missing(_) => "signature_missing",
            Self::Malformed(_) => "signature_malformed",
            Self::Mismatch => "signature_mismatch",
            Self::Stale => "signature_stale",
            Self::NoSecret => "no_secret",
        }
    }
}
