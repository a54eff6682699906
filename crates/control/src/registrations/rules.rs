//! What may be registered, changed and removed. Pure: requests and the present state in, the next state out.

use common::registration::v1::{
    DeleteRequest, Endpoint, ListRequest, PlainSecret, RegisterRequest, Registration, SealedSecret, registration::Kind,
};
use common::registrations::{id_of, validate, validate_new};
use prost_types::Timestamp;

use super::store::Page;

const DEFAULT_PAGE: u32 = 100;
const LARGEST_PAGE: u32 = 1000;

/// How large a registration may be.
#[derive(Debug, Clone, Copy)]
pub struct RegistrationLimits {
    /// Secrets of one endpoint.
    pub max_secrets: usize,
    /// Bytes of one secret.
    pub max_secret_bytes: usize,
    /// Keys and values of the metadata together, in bytes.
    pub max_metadata_bytes: usize,
}

/// Why a request is refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum RegistrationRefusal {
    /// A field cannot be.
    #[error("{field} {problem}")]
    Invalid {
        /// Its path in the request.
        field: String,
        /// What is wrong with it, and what would be right.
        problem: String,
    },
    /// It is there, and the request wanted to make it.
    #[error("{id} is already registered, at revision {revision}: give that revision to change it")]
    Exists {
        /// The registration.
        id: String,
        /// Its revision.
        revision: u64,
    },
    /// It was changed meanwhile, or never was there.
    #[error("{id} is at revision {found} (0: it does not exist), not {expected}: read it and retry")]
    Revision {
        /// The registration.
        id: String,
        /// The revision there is.
        found: u64,
        /// The revision the request named.
        expected: u64,
    },
    /// There is none of that id.
    #[error("registration {id:?} does not exist")]
    NotFound {
        /// The id.
        id: String,
    },
    /// An account without its endpoint.
    #[error("{endpoint} is not registered: register it before its accounts")]
    NoEndpoint {
        /// The endpoint's id.
        endpoint: String,
    },
    /// An endpoint with accounts.
    #[error("{id} still has accounts: delete them first")]
    HasAccounts {
        /// The endpoint's id.
        id: String,
    },
}

impl RegistrationRefusal {
    fn invalid(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), problem: problem.into() }
    }
}

/// Checks everything of a request that can be told without the present state; the registration's id.
pub fn check(
    request: &RegisterRequest,
    limits: &RegistrationLimits,
    now: &Timestamp,
) -> Result<String, RegistrationRefusal> {
    let registration =
        request.registration.as_ref().ok_or_else(|| RegistrationRefusal::invalid("registration", "is missing"))?;
    let validated = if request.expected_revision == 0 { validate_new(registration) } else { validate(registration) };
    validated
        .map_err(|invalid| RegistrationRefusal::invalid(format!("registration.{}", invalid.field), invalid.problem))?;
    let Some(kind) = &registration.kind else {
        return Err(RegistrationRefusal::invalid("registration.kind", "is missing: give an endpoint or an account"));
    };
    let metadata: usize = registration.metadata.iter().map(|(key, value)| key.len() + value.len()).sum();
    if metadata > limits.max_metadata_bytes {
        return Err(RegistrationRefusal::invalid(
            "registration.metadata",
            format!("has {metadata} bytes, and {} are allowed", limits.max_metadata_bytes),
        ));
    }
    match kind {
        Kind::Endpoint(endpoint) => check_endpoint(request, endpoint, limits, now)?,
        Kind::Account(_) => {
            if !request.secrets.is_empty() {
                return Err(RegistrationRefusal::invalid("secrets", "belong to an endpoint: an account has none"));
            }
            if request.verify_token.is_some() {
                return Err(RegistrationRefusal::invalid(
                    "verify_token",
                    "belongs to an endpoint: an account has none",
                ));
            }
        }
    }
    Ok(id_of(kind))
}

fn check_endpoint(
    request: &RegisterRequest,
    endpoint: &Endpoint,
    limits: &RegistrationLimits,
    now: &Timestamp,
) -> Result<(), RegistrationRefusal> {
    let Some(source) = sources::by_name(&endpoint.source) else {
        let known: Vec<&str> = sources::all().iter().map(|source| source.name()).collect();
        return Err(RegistrationRefusal::invalid(
            "registration.endpoint.source",
            format!("is {:?}, which is not known: use one of {}", endpoint.source, known.join(", ")),
        ));
    };
    for (field, sealed) in
        [("secrets", !endpoint.secrets.is_empty()), ("verify_token", endpoint.verify_token.is_some())]
    {
        if sealed {
            return Err(RegistrationRefusal::invalid(
                format!("registration.endpoint.{field}"),
                format!("must be empty: give secrets unsealed, in {field} of the request"),
            ));
        }
    }
    if request.secrets.is_empty() && request.expected_revision == 0 {
        return Err(RegistrationRefusal::invalid("secrets", "is empty: a new endpoint needs at least one"));
    }
    if request.secrets.len() > limits.max_secrets {
        return Err(RegistrationRefusal::invalid(
            "secrets",
            format!("has {} entries, and {} are allowed", request.secrets.len(), limits.max_secrets),
        ));
    }
    for (n, secret) in request.secrets.iter().enumerate() {
        let field = format!("secrets[{n}]");
        check_secret(&field, secret, limits, now)?;
        can_verify(&format!("{field}.value"), source.check_secret(&secret.value))?;
    }
    if let Some(token) = &request.verify_token {
        check_secret("verify_token", token, limits, now)?;
        can_verify("verify_token.value", source.check_verify_token(&token.value))?;
    }
    Ok(())
}

/// What only the source can judge, as a refusal.
pub fn can_verify(field: &str, judged: Result<(), sources::SecretProblem>) -> Result<(), RegistrationRefusal> {
    judged.map_err(|problem| RegistrationRefusal::invalid(field, problem.to_string()))
}

fn check_secret(
    field: &str,
    secret: &PlainSecret,
    limits: &RegistrationLimits,
    now: &Timestamp,
) -> Result<(), RegistrationRefusal> {
    if secret.value.is_empty() || secret.value.len() > limits.max_secret_bytes {
        return Err(RegistrationRefusal::invalid(
            format!("{field}.value"),
            format!("has {} bytes: 1 to {} are allowed", secret.value.len(), limits.max_secret_bytes),
        ));
    }
    let expired = |at: &Timestamp| (at.seconds, at.nanos) <= (now.seconds, now.nanos);
    if secret.expires_at.as_ref().is_some_and(expired) {
        return Err(RegistrationRefusal::invalid(
            format!("{field}.expires_at"),
            "is in the past: leave it out, or give a future time",
        ));
    }
    Ok(())
}

/// The source that an endpoint is to have and has not had, with the secrets and the token that it is to keep.
pub fn kept_for_another_source<'a>(
    request: &RegisterRequest,
    present: &'a Present,
) -> Option<(&'static dyn sources::Source, &'a [SealedSecret], Option<&'a SealedSecret>)> {
    let Some(Kind::Endpoint(wanted)) = request.registration.as_ref()?.kind.as_ref() else { return None };
    let Some(Kind::Endpoint(before)) = present.registration.as_ref()?.kind.as_ref() else { return None };
    if wanted.source == before.source {
        return None;
    }
    let secrets = if request.secrets.is_empty() { before.secrets.as_slice() } else { &[] };
    let token = before.verify_token.as_ref().filter(|_| request.verify_token.is_none());
    Some((sources::by_name(&wanted.source)?, secrets, token))
}

/// What is there when a registration is to be made or changed.
#[derive(Debug, Default)]
pub struct Present {
    /// The registration, where there is one.
    pub registration: Option<Registration>,
    /// For an account: whether its endpoint is registered.
    pub has_endpoint: bool,
    /// For an endpoint: the tenant that this name was first registered for.
    pub first_tenant: Option<String>,
}

/// Sealed secrets of a request.
#[derive(Debug, Default, Clone)]
pub struct Sealed {
    /// Empty: they stay as they are.
    pub secrets: Vec<SealedSecret>,
    /// Absent: it stays as it is.
    pub verify_token: Option<SealedSecret>,
}

/// The registration as it is to be, from a checked request.
pub fn next(
    id: &str,
    request: &RegisterRequest,
    sealed: Sealed,
    present: Present,
    now: Timestamp,
) -> Result<Registration, RegistrationRefusal> {
    let found = present.registration.as_ref().map_or(0, |registration| registration.revision);
    if found != request.expected_revision {
        return Err(if request.expected_revision == 0 {
            RegistrationRefusal::Exists { id: id.to_owned(), revision: found }
        } else {
            RegistrationRefusal::Revision { id: id.to_owned(), found, expected: request.expected_revision }
        });
    }
    let mut registration = request.registration.clone().unwrap_or_default();
    match &mut registration.kind {
        Some(Kind::Endpoint(endpoint)) => {
            if present.first_tenant.as_ref().is_some_and(|tenant| *tenant != registration.tenant) {
                return Err(RegistrationRefusal::invalid(
                    "registration.tenant",
                    "is not the tenant for which this endpoint was first registered, and an endpoint keeps its first \
                     tenant: use another endpoint name",
                ));
            }
            let before = match present.registration.as_ref().and_then(|before| before.kind.as_ref()) {
                Some(Kind::Endpoint(before)) => before.clone(),
                _ => Endpoint::default(),
            };
            endpoint.secrets = if sealed.secrets.is_empty() { before.secrets } else { sealed.secrets };
            endpoint.verify_token = sealed.verify_token.or(before.verify_token);
        }
        Some(Kind::Account(account)) if !present.has_endpoint => {
            return Err(RegistrationRefusal::NoEndpoint { endpoint: format!("endpoint/{}", account.endpoint) });
        }
        Some(Kind::Account(_)) | None => {}
    }
    registration.id = id.to_owned();
    registration.revision = found + 1;
    registration.created_at = present.registration.and_then(|before| before.created_at).or(Some(now));
    registration.updated_at = Some(now);
    Ok(registration)
}

/// Whether a registration may be removed.
pub fn may_delete(
    request: &DeleteRequest,
    present: Option<&Registration>,
    has_accounts: bool,
) -> Result<(), RegistrationRefusal> {
    let Some(present) = present else {
        return Err(RegistrationRefusal::NotFound { id: request.id.clone() });
    };
    if present.revision != request.expected_revision {
        return Err(RegistrationRefusal::Revision {
            id: request.id.clone(),
            found: present.revision,
            expected: request.expected_revision,
        });
    }
    if has_accounts {
        return Err(RegistrationRefusal::HasAccounts { id: request.id.clone() });
    }
    Ok(())
}

/// Which page a request asks for; one more than it shows, to know whether there is a next one.
pub fn page(request: &ListRequest) -> Result<Page, RegistrationRefusal> {
    for (field, text) in
        [("id_prefix", &request.id_prefix), ("tenant", &request.tenant), ("page_token", &request.page_token)]
    {
        if text.chars().any(char::is_control) {
            return Err(RegistrationRefusal::invalid(
                field,
                "contains a control character, and ids and tenants have none",
            ));
        }
    }
    if !request.page_token.is_empty() && !request.page_token.starts_with(&request.id_prefix) {
        return Err(RegistrationRefusal::invalid(
            "page_token",
            "does not belong to this list: use it with the id_prefix of the page that gave it",
        ));
    }
    let size = if request.page_size == 0 { DEFAULT_PAGE } else { request.page_size.min(LARGEST_PAGE) };
    Ok(Page {
        prefix: request.id_prefix.clone(),
        tenant: request.tenant.clone(),
        after: request.page_token.clone(),
        limit: size + 1,
    })
}

/// An id as it may be asked for. What cannot be an id is not there, and need not trouble a database.
pub fn known_form(id: &str) -> Result<(), RegistrationRefusal> {
    if id.is_empty() {
        return Err(RegistrationRefusal::invalid(
            "id",
            "is empty: give endpoint/{name} or account/{endpoint}/{account_id}",
        ));
    }
    if id.chars().any(char::is_control) {
        return Err(RegistrationRefusal::NotFound { id: id.to_owned() });
    }
    Ok(())
}

/// A registration as answers show it: without its secrets, how many there are and which keys sealed them.
pub fn shown(mut registration: Registration) -> Registration {
    if let Some(Kind::Endpoint(endpoint)) = &mut registration.kind {
        for secret in endpoint.secrets.iter_mut().chain(endpoint.verify_token.as_mut()) {
            secret.sealed.clear();
        }
    }
    registration
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
