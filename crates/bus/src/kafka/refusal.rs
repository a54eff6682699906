//! Why brokers do not let a client in, in words that name the settings.

use std::fmt;

use common::health::v1::FailureKind;
use rdkafka::types::RDKafkaErrorCode;

/// The client's own words may be long; what comes after this is of no use to people.
const LONGEST: usize = 400;

/// Why a client is not let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ConnectionRefusal {
    pub(crate) kind: RefusalKind,
    /// As the client told it. It names hosts, mechanisms and certificates, never a password.
    reason: String,
}

/// What was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefusalKind {
    /// The user name or the password.
    Login,
    /// The broker's certificate, by us.
    Broker,
    /// Our certificate or the lack of one, by the broker.
    Client,
    /// Something else of TLS.
    Tls,
    /// The port speaks something else than we do.
    Protocol,
}

impl ConnectionRefusal {
    /// By the client's error, or by a line of its log. None: it is something else, as a broker that is away.
    pub(crate) fn of(code: Option<RDKafkaErrorCode>, reason: &str) -> Option<Self> {
        let kind = match code {
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed) => RefusalKind::Login,
            _ if reason.contains("SASL authentication error") => RefusalKind::Login,
            _ if reason.contains("certificate verify failed") => RefusalKind::Broker,
            // With TLS 1.3 it comes when the handshake is over for the client, as an error of the connection.
            _ if reason.contains("alert") && reason.contains("certificate") => RefusalKind::Client,
            Some(RDKafkaErrorCode::SSL) => RefusalKind::Tls,
            _ if reason.contains("SSL_HANDSHAKE") => RefusalKind::Tls,
            // A port that wants TLS closes at the first words in the clear. So does a broker that goes, for a while.
            _ if reason.contains("security.protocol") => RefusalKind::Protocol,
            _ if reason.contains("closed by peer") && reason.contains("APIVERSION_QUERY") => RefusalKind::Protocol,
            _ => return None,
        };
        Some(Self { kind, reason: reason.chars().take(LONGEST).collect() })
    }

    /// As checks tell it to programs.
    pub(crate) fn failure(&self) -> FailureKind {
        match self.kind {
            RefusalKind::Login => FailureKind::Credentials,
            RefusalKind::Broker | RefusalKind::Client => FailureKind::Certificate,
            RefusalKind::Tls | RefusalKind::Protocol => FailureKind::Protocol,
        }
    }
}

impl fmt::Display for ConnectionRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, check) = match self.kind {
            RefusalKind::Login => (
                "the broker rejected the user name or the password",
                "check bus.kafka.sasl_username, bus.kafka.sasl_password_file and bus.kafka.sasl_mechanism",
            ),
            RefusalKind::Broker => (
                "the broker's certificate is not trusted",
                "check that bus.kafka.ca_file contains the root of the brokers' certificates, and that these are issued \
                 for the names in bus.kafka.brokers",
            ),
            RefusalKind::Client => (
                "the broker rejected the client certificate of this service, or requires one",
                "check bus.kafka.certificate_file and bus.kafka.key_file",
            ),
            RefusalKind::Tls => (
                "the TLS handshake with the broker failed",
                "check bus.kafka.security_protocol and the port in bus.kafka.brokers",
            ),
            RefusalKind::Protocol => (
                "the broker closed the connection at once, as a port for another protocol does",
                "check bus.kafka.security_protocol and the port in bus.kafka.brokers",
            ),
        };
        write!(f, "{what}; {check} ({})", self.reason)
    }
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
