//! What the door answers: every decision that needs no I/O, and what each answer says.

use common::{identity::Id, registrations::MAX_NAME};
use http::{HeaderMap, Method, StatusCode, header};
use sources::VerifyError;

/// The path below which the endpoints stand.
const WEBHOOKS: &str = "/webhooks/";

/// What `GET /` says.
const ABOUT: &str = "weir: the door for webhooks; platforms deliver to POST /webhooks/{endpoint}\n";

/// Where a request wants to go.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Route<'a> {
    /// `/`, asked by somebody who wonders what this is.
    About,
    /// A delivery to an endpoint.
    Delivery(&'a str),
    /// A handshake with an endpoint.
    Handshake(&'a str),
    /// Nowhere.
    Refused(Refusal),
}

/// Finds the way by method and raw path: nothing is decoded, trimmed or lowered, because the name of an endpoint has
/// one spelling. A name that cannot be one is refused here, so that it costs no look at the registrations.
pub(crate) fn route<'a>(method: &Method, path: &'a str) -> Route<'a> {
    if path == "/" {
        // Balancers ask with HEAD whether somebody is there.
        let asks = matches!(*method, Method::GET | Method::HEAD);
        return if asks { Route::About } else { Route::Refused(Refusal::Method(Allow::Get)) };
    }
    let Some(name) = path.strip_prefix(WEBHOOKS) else {
        return Route::Refused(Refusal::UnknownPath);
    };
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.is_empty() || name.len() > MAX_NAME || !name.bytes().all(fits) {
        return Route::Refused(Refusal::UnknownEndpoint);
    }
    match *method {
        Method::POST => Route::Delivery(name),
        Method::GET => Route::Handshake(name),
        _ => Route::Refused(Refusal::Method(Allow::GetPost)),
    }
}

/// Refuses every content encoding but identity: a signature is over the bytes as sent, and what is not decompressed
/// cannot explode.
pub(crate) fn check_encoding(headers: &HeaderMap) -> Result<(), Refusal> {
    let identity = |value: &header::HeaderValue| {
        value.as_bytes().trim_ascii().is_empty() || value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"identity")
    };
    if headers.get_all(header::CONTENT_ENCODING).iter().all(identity) { Ok(()) } else { Err(Refusal::Encoded) }
}

/// The answer to a request.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// What this is.
    About,
    /// The delivery is on the log.
    Accepted(Id),
    /// The handshake succeeded.
    Challenge(String),
    /// Anything else.
    Refused(Refusal),
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

/// The methods that would have been right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allow {
    /// At `/`.
    Get,
    /// At an endpoint whose platform makes no handshake.
    Post,
    /// At an endpoint.
    GetPost,
}

/// Why a request is refused. Each has a status, a stable code for metrics, and general words for the sender: nothing
/// of the inside, nothing of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// Nothing stands at this path.
    UnknownPath,
    /// No endpoint has this name.
    UnknownEndpoint,
    /// Another method would be right.
    Method(Allow),
    /// A content encoding other than identity.
    Encoded,
    /// More bytes than the source or the settings allow.
    TooLarge,
    /// The body did not arrive in time.
    BodyTimeout,
    /// The connection ended within the body.
    BodyTruncated,
    /// The header with the signature, or one that enters it, is not there.
    SignatureMissing,
    /// The header is there and cannot be read.
    SignatureMalformed,
    /// No active secret makes this signature.
    SignatureMismatch,
    /// The signed time is too far from now.
    SignatureStale,
    /// The query is no handshake of this platform.
    HandshakeMalformed,
    /// The handshake names another token than the endpoint's, or the endpoint has none.
    Handshake,
    /// More deliveries per second than the endpoint may have.
    RateLimited,
    /// Most of what the endpoint delivers cannot be read; the seconds until it is tried again.
    Storm(u32),
    /// The registrations have not been read to the end: nobody knows yet which endpoints there are.
    RegistrationsUnread,
    /// The registrations could not be asked again whether this is known by now.
    RegistrationsBehind,
    /// The endpoint is known and its secrets cannot be used: sealed with a key that is not there, or all expired.
    Unusable,
    /// The bodies being read and written fill the memory set aside for them.
    Crowded,
    /// The producer has as much in flight as it may.
    ProducerFull,
    /// The log has not acknowledged within the provider's deadline, or has refused.
    NotAcknowledged,
    /// Something that should not fail did; the log of the service says what.
    Internal,
}

impl From<VerifyError> for Refusal {
    fn from(error: VerifyError) -> Self {
        match error {
            VerifyError::Missing(_) => Self::SignatureMissing,
            VerifyError::Malformed(_) => Self::SignatureMalformed,
            VerifyError::Mismatch => Self::SignatureMismatch,
            VerifyError::Stale => Self::SignatureStale,
            VerifyError::NoSecret => Self::Unusable,
        }
    }
}

impl From<sources::Refusal> for Refusal {
    fn from(refusal: sources::Refusal) -> Self {
        match refusal {
            sources::Refusal::Malformed(_) => Self::HandshakeMalformed,
            sources::Refusal::WrongToken | sources::Refusal::NoToken => Self::Handshake,
        }
    }
}

impl Refusal {
    /// Whether newer registrations could turn this into a success: an endpoint that is new, a secret that was rotated.
    /// What is missing, malformed or stale stays so with any secret.
    pub(crate) fn may_be_outdated(self) -> bool {
        matches!(self, Self::UnknownEndpoint | Self::SignatureMismatch | Self::Handshake | Self::Unusable)
    }

    /// The HTTP status.
    pub(crate) fn status(self) -> StatusCode {
        match self {
            Self::BodyTruncated | Self::HandshakeMalformed => StatusCode::BAD_REQUEST,
            Self::SignatureMissing | Self::SignatureMalformed | Self::SignatureMismatch | Self::SignatureStale => {
                StatusCode::UNAUTHORIZED
            }
            Self::Handshake => StatusCode::FORBIDDEN,
            Self::UnknownPath | Self::UnknownEndpoint => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::RateLimited | Self::Storm(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::RegistrationsUnread
            | Self::RegistrationsBehind
            | Self::Unusable
            | Self::Crowded
            | Self::ProducerFull
            | Self::NotAcknowledged
            | Self::Internal => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// A stable code for metrics.
    pub(crate) fn reason(self) -> &'static str {
        match self {
            Self::UnknownPath => "unknown_path",
            Self::UnknownEndpoint => "unknown_endpoint",
            Self::Method(_) => "method_not_allowed",
            Self::Encoded => "content_encoding",
            Self::TooLarge => "too_large",
            Self::BodyTimeout => "body_timeout",
            Self::BodyTruncated => "body_truncated",
            Self::SignatureMissing => "signature_missing",
            Self::SignatureMalformed => "signature_malformed",
            Self::SignatureMismatch => "signature_mismatch",
            Self::SignatureStale => "signature_stale",
            Self::HandshakeMalformed => "handshake_malformed",
            Self::Handshake => "handshake",
            Self::RateLimited => "rate_limited",
            Self::Storm(_) => "dead_letter_storm",
            Self::RegistrationsUnread => "registrations_unread",
            Self::RegistrationsBehind => "registrations_behind",
            Self::Unusable => "endpoint_unusable",
            Self::Crowded => "crowded",
            Self::ProducerFull => "producer_full",
            Self::NotAcknowledged => "not_acknowledged",
            Self::Internal => "internal",
        }
    }

    /// What the sender is told.
    fn says(self) -> &'static str {
        match self {
            Self::UnknownPath => "there is nothing here\n",
            Self::UnknownEndpoint => "there is no such endpoint\n",
            Self::Method(_) => "this method is not allowed here\n",
            Self::Encoded => "send the body without content encoding\n",
            Self::TooLarge => "the body is too large\n",
            Self::BodyTimeout => "the body did not arrive in time\n",
            Self::BodyTruncated => "the body is incomplete\n",
            Self::SignatureMissing => "the signature is missing\n",
            Self::SignatureMalformed => "the signature is malformed\n",
            Self::SignatureMismatch => "the signature does not match\n",
            Self::SignatureStale => "the signed time is too far from now\n",
            Self::HandshakeMalformed => "this is not a handshake\n",
            Self::Handshake => "the handshake is refused\n",
            Self::RateLimited => "too many deliveries, re-send later\n",
            Self::Storm(_) => "most deliveries to this endpoint could not be read, re-send later\n",
            Self::RegistrationsUnread
            | Self::RegistrationsBehind
            | Self::Unusable
            | Self::Crowded
            | Self::ProducerFull
            | Self::NotAcknowledged
            | Self::Internal => "not accepted, re-send later\n",
        }
    }

    /// Whether the sender is told when to try again.
    pub(crate) fn retry(self) -> bool {
        matches!(self.status(), StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS)
    }
}

impl Answer {
    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::About | Self::Accepted(_) | Self::Challenge(_) => StatusCode::OK,
            Self::Refused(refusal) => refusal.status(),
        }
    }

    /// Headers beyond those that every answer has; `retry_after` is in seconds.
    pub(crate) fn headers(&self, retry_after: u32) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(4);
        let content_type = match self {
            Self::Accepted(_) => "application/json",
            // A challenge comes from a stranger: as text, and never to be taken for anything else.
            _ => "text/plain; charset=utf-8",
        };
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, header::HeaderValue::from_static("nosniff"));
        if let Self::Refused(refusal) = self {
            if refusal.retry() {
                let seconds = if let Refusal::Storm(left) = refusal { *left } else { retry_after };
                headers.insert(header::RETRY_AFTER, header::HeaderValue::from(seconds));
            }
            let more = match refusal {
                Refusal::Method(Allow::Get) => Some((header::ALLOW, "GET, HEAD")),
                Refusal::Method(Allow::Post) => Some((header::ALLOW, "POST")),
                Refusal::Method(Allow::GetPost) => Some((header::ALLOW, "GET, POST")),
                // RFC 7694: which encodings would have been right.
                Refusal::Encoded => Some((header::ACCEPT_ENCODING, "identity")),
                _ => None,
            };
            if let Some((name, value)) = more {
                headers.insert(name, header::HeaderValue::from_static(value));
            }
        }
        headers
    }

    /// The body.
    pub(crate) fn body(self) -> bytes::Bytes {
        match self {
            Self::About => bytes::Bytes::from_static(ABOUT.as_bytes()),
            Self::Accepted(id) => format!("{{\"delivery_id\":\"{id}\"}}\n").into(),
            Self::Challenge(text) => text.into(),
            Self::Refused(refusal) => bytes::Bytes::from_static(refusal.says().as_bytes()),
        }
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
