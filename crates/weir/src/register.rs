//! Talking to the registrations.

use std::collections::HashMap;
use std::time::Duration;

use common::registration::v1::registration::Kind;
use common::registration::v1::registration_service_client::RegistrationServiceClient;
use common::registration::v1::{ListRequest, RegisterRequest, Registration};
use common::registrations::id_of;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use service::tls::{ClientTlsSettings, Dial};
use service::{CallLimits, Channel, Uri};
use sha2::{Digest as _, Sha256};
use tonic::{Code, Status};

/// The client of the service.
pub type Client = RegistrationServiceClient<Channel>;

const CONNECT: Duration = Duration::from_secs(5);
const CALL: Duration = Duration::from_secs(30);
/// How many calls at once where there are many to make.
const AT_ONCE: usize = 16;
/// Says which secrets a simulated endpoint was registered with, so that a start with the same need not change it.
const FINGERPRINT: &str = "secrets_sha256";

/// What went wrong, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is none.
    #[error("{0:?} is not the address of a gRPC server: give one like http://127.0.0.1:9090 or https://host:9090")]
    Url(String),
    /// Nobody answers.
    #[error(
        "cannot connect to gRPC at {url}: {reason}. Is Weir running (weir up)? Is the address right (--grpc URL, or the \
         setting grpc.listen)?"
    )]
    Unreachable {
        /// The address.
        url: String,
        /// Why.
        reason: String,
    },
    /// The service said no.
    #[error("{what}: {}", explain(.status))]
    Refused {
        /// What was asked for.
        what: String,
        /// The answer.
        status: Box<Status>,
    },
    /// Something that cannot be changed is other than wanted.
    #[error(
        "{id} belongs to tenant {there}, not to {wanted}, and a tenant can never be changed: delete it \
         (weir register delete {id}) or use another name"
    )]
    Tenant {
        /// The registration.
        id: String,
        /// Its tenant.
        there: String,
        /// The tenant that was asked for.
        wanted: String,
    },
}

impl Error {
    /// The service's answer to a request, with what was asked for.
    pub fn refused(what: impl Into<String>) -> impl FnOnce(Status) -> Self {
        let what = what.into();
        move |status| Self::Refused { what, status: Box::new(status) }
    }
}

/// What a status means for whoever asked, and what to do.
fn explain(status: &Status) -> String {
    if status.code() != Code::PermissionDenied
        && let Some(refused) = service::tls::refused_certificate(status)
    {
        return format!("{refused} (give a certificate that this server trusts: --certificate-file and --key-file)");
    }
    let said = status.message();
    let hint = match status.code() {
        Code::AlreadyExists => "to change it, use --update",
        Code::Aborted => "it was changed meanwhile: look at it (weir register get), then retry",
        Code::NotFound => "weir register list shows the existing ones",
        Code::FailedPrecondition => "weir register list shows the endpoints and their accounts",
        Code::InvalidArgument => "correct the argument that it names",
        Code::Unavailable => "the service, its database or the broker is unavailable: weir health says which",
        Code::DeadlineExceeded => "timed out, and may have been done: look at it (weir register get) before you retry",
        Code::Unimplemented => {
            "this server does not serve registrations: give the address of processing, or of weir up"
        }
        Code::PermissionDenied | Code::Unauthenticated => "this server does not permit it",
        _ => "the log of the service says more",
    };
    format!("{said} ({hint})")
}

/// Connects to the service.
///
/// # Errors
/// When the address is none, or nobody answers there.
pub async fn connect(url: &str) -> Result<Client, Error> {
    connect_with(&Dial::new("grpc.client", &ClientTlsSettings::default()), url).await
}

/// [`connect`], with what is trusted and shown where the address begins with `https`.
///
/// # Errors
/// As [`connect`].
pub async fn connect_with(dial: &Dial, url: &str) -> Result<Client, Error> {
    Ok(Client::new(channel(dial, url).await?))
}

/// A connection to whoever answers gRPC there.
///
/// # Errors
/// When the address is none, or nobody answers there.
pub async fn channel(dial: &Dial, url: &str) -> Result<Channel, Error> {
    patient_channel(dial, url, CALL).await
}

/// The same for calls that may take long: an answer has to begin within `limit`.
///
/// # Errors
/// When the address is none, or nobody answers there.
pub async fn patient_channel(dial: &Dial, url: &str, limit: Duration) -> Result<Channel, Error> {
    let to = url
        .parse::<Uri>()
        .ok()
        .filter(|to| matches!(to.scheme_str(), Some("http" | "https")))
        .ok_or_else(|| Error::Url(url.to_owned()))?;
    let limits = CallLimits { connect: CONNECT, call: Some(limit) };
    dial.connect(to, limits).await.map_err(|error| {
        // The outermost error says "transport error" only.
        let mut cause: &dyn std::error::Error = &error;
        while let Some(source) = cause.source() {
            cause = source;
        }
        Error::Unreachable { url: url.to_owned(), reason: cause.to_string() }
    })
}

/// All registrations whose ids begin with `prefix`, of this tenant (empty: of all), in the order of their ids.
///
/// # Errors
/// When a page is refused.
pub async fn list(client: &mut Client, prefix: &str, tenant: &str) -> Result<Vec<Registration>, Error> {
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request =
            ListRequest { id_prefix: prefix.to_owned(), tenant: tenant.to_owned(), page_size: 1000, page_token };
        let answer = client.list(request).await.map_err(Error::refused("cannot list registrations"))?.into_inner();
        found.extend(answer.registrations);
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            return Ok(found);
        }
    }
}

/// What [`reconcile`] did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reconciled {
    /// Registered now.
    pub new: usize,
    /// Changed, because it was there and not as wanted.
    pub changed: usize,
    /// There already.
    pub same: usize,
}

/// Makes the registrations as wanted: registers what is missing, changes what differs, leaves the rest.
/// Endpoints come before the accounts within them.
///
/// # Errors
/// The first that is refused.
pub async fn reconcile(
    client: &mut Client,
    wanted: impl IntoIterator<Item = RegisterRequest>,
) -> Result<Reconciled, Error> {
    let mut there: HashMap<String, Registration> = HashMap::new();
    for prefix in ["endpoint/sim-", "account/sim-"] {
        there.extend(list(client, prefix, "").await?.into_iter().map(|found| (found.id.clone(), found)));
    }
    let mut done = Reconciled::default();
    let mut endpoints = Vec::new();
    let mut accounts = Vec::new();
    for mut request in wanted {
        let fingerprint = fingerprint(&request);
        let Some(registration) = &mut request.registration else { continue };
        let Some(kind) = &registration.kind else { continue };
        let is_account = matches!(kind, Kind::Account(_));
        if !is_account {
            registration.metadata.insert(FINGERPRINT.to_owned(), fingerprint);
        }
        match there.get(&id_of(kind)) {
            None => done.new += 1,
            Some(found) if is_as_wanted(found, registration) => {
                done.same += 1;
                continue;
            }
            Some(found) if !is_account && found.tenant != registration.tenant => {
                return Err(Error::Tenant {
                    id: found.id.clone(),
                    there: found.tenant.clone(),
                    wanted: registration.tenant.clone(),
                });
            }
            Some(found) => {
                done.changed += 1;
                request.expected_revision = found.revision;
            }
        }
        if is_account { accounts.push(request) } else { endpoints.push(request) }
    }
    for requests in [endpoints, accounts] {
        stream::iter(requests)
            .map(|request| {
                let mut client = client.clone();
                async move {
                    let id = request.registration.as_ref().and_then(|wanted| wanted.kind.as_ref()).map(id_of);
                    let what = format!("cannot register {}", id.unwrap_or_default());
                    client.register(request).await.map(drop).map_err(Error::refused(what))
                }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
    }
    Ok(done)
}

fn is_as_wanted(found: &Registration, wanted: &Registration) -> bool {
    let rest = match (&found.kind, &wanted.kind) {
        (Some(Kind::Endpoint(found)), Some(Kind::Endpoint(wanted))) => {
            found.source == wanted.source && found.rate_limit == wanted.rate_limit
        }
        (Some(Kind::Account(_)), Some(Kind::Account(_))) => true,
        _ => false,
    };
    rest && found.tenant == wanted.tenant && found.metadata == wanted.metadata
}

/// Tells secrets from others without telling them.
fn fingerprint(request: &RegisterRequest) -> String {
    let mut hash = Sha256::new();
    for secret in request.secrets.iter().chain(&request.verify_token) {
        hash.update((secret.value.len() as u64).to_be_bytes());
        hash.update(&secret.value);
    }
    hex::encode(&hash.finalize()[..8])
}

#[cfg(test)]
#[path = "register_tests.rs"]
mod tests;
