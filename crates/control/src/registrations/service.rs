//! `weir.registration.v1.RegistrationService`: decode, decide, write, publish, commit; errors are mapped here.

use std::sync::Arc;
use std::time::Duration;

use bus::Receipt;
use common::registration::v1::registration_service_server::RegistrationService;
use common::registration::v1::{
    DeleteRequest, DeleteResponse, GetRequest, GetResponse, ListRequest, ListResponse, PlainSecret, RegisterRequest,
    RegisterResponse, Registration, SealedSecret,
};
use secrecy::{ExposeSecret as _, SecretString};
use service::seal::SealingKey;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tracing::Instrument as _;

use super::publish::{PublishError, Publisher};
use super::rules::{self, Present, RegistrationLimits, RegistrationRefusal, Sealed};
use super::store::{Change, RegistrationStore, Scope, StoreError, endpoint_of};
use crate::failures::{store_failed, unavailable};

/// How long a change waits for the first comparison of topic and database.
const COMPARED: Duration = Duration::from_secs(10);

/// When changes may begin, and when none may be waited for any longer.
#[derive(Debug, Clone)]
pub struct Moments {
    /// Topic and database have been compared: before that a database that is empty by mistake would pass for a new one.
    pub compared: CancellationToken,
    /// The process ends.
    pub ends: CancellationToken,
}

/// What happened to a change.
#[derive(Debug, thiserror::Error)]
enum ChangeError {
    #[error(transparent)]
    Refused(#[from] RegistrationRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error("the database did not confirm the change, and it may be made: {0}")]
    Unknown(StoreError),
    #[error("a change waits for the acknowledgement of its record: {0}")]
    Late(PublishError),
    #[error("the registrations topic and database have not been compared yet")]
    NotCompared,
    #[error(transparent)]
    Seal(#[from] service::seal::SealError),
}

/// The service. Clones are one.
#[derive(Debug, Clone)]
pub struct Registrations {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn RegistrationStore>,
    publisher: Publisher,
    key: SealingKey,
    limits: RegistrationLimits,
    tasks: TaskTracker,
    differs: Arc<Notify>,
    moments: Moments,
}

impl Registrations {
    /// Changes run as tasks of `tasks`, so that a caller who goes away leaves none half done. `differs` is told when
    /// topic and database may no longer say the same.
    pub fn new(
        store: Arc<dyn RegistrationStore>,
        publisher: Publisher,
        key: SealingKey,
        limits: RegistrationLimits,
        tasks: TaskTracker,
        differs: Arc<Notify>,
        moments: Moments,
    ) -> Self {
        Self { inner: Arc::new(Inner { store, publisher, key, limits, tasks, differs, moments }) }
    }

    async fn run<T: Send + 'static>(
        &self,
        change: impl Future<Output = Result<T, ChangeError>> + Send + 'static,
    ) -> Result<T, Status> {
        let task = self.inner.tasks.spawn(change.in_current_span());
        match task.await {
            Ok(outcome) => outcome.map_err(|error| self.inner.status(&error)),
            Err(error) => {
                tracing::error!(%error, "the task that changes a registration failed");
                self.inner.differs.notify_one();
                Err(Status::internal("the change was interrupted: read the registration and retry"))
            }
        }
    }
}

impl Inner {
    async fn register(self: &Arc<Self>, request: RegisterRequest) -> Result<Registration, ChangeError> {
        let now = service::clock::timestamp();
        let id = rules::check(&request, &self.limits, &now)?;
        let sealed = self.seal(&id, &request)?;
        self.compared().await?;
        let mut change = self.store.begin(Scope::One(&id)).await?;
        let present = present(change.as_mut(), &id).await?;
        self.check_kept(&id, &request, &present)?;
        let registration = rules::next(&id, &request, sealed, present, now)?;
        change.put(&registration).await?;
        let published = self.publisher.publish(&registration).await;
        self.finish(change, published, &id, Some(&registration)).await?;
        tracing::info!(id, revision = registration.revision, tenant = registration.tenant, "registered");
        Ok(rules::shown(registration))
    }

    /// Secrets that stay while the source becomes another have to be ones for that, too.
    fn check_kept(&self, id: &str, request: &RegisterRequest, present: &Present) -> Result<(), RegistrationRefusal> {
        let Some((source, kept, token)) = rules::kept_for_another_source(request, present) else { return Ok(()) };
        let judge = |sealed, check: &dyn Fn(&str) -> Result<(), sources::SecretProblem>| {
            // What cannot be unsealed here is nothing that this change makes worse.
            self.key.unseal(id, sealed).map_or(Ok(()), |secret| check(secret.expose_secret()))
        };
        for sealed in kept {
            rules::can_verify("secrets", judge(sealed, &|text| source.check_secret(text)))?;
        }
        let judged = token.map_or(Ok(()), |sealed| judge(sealed, &|text| source.check_verify_token(text)));
        rules::can_verify("verify_token", judged)
    }

    async fn delete(self: &Arc<Self>, request: DeleteRequest) -> Result<(), ChangeError> {
        rules::known_form(&request.id)?;
        self.compared().await?;
        let mut change = self.store.begin(Scope::One(&request.id)).await?;
        let present = change.get(&request.id).await?;
        let has_accounts = match request.id.strip_prefix("endpoint/") {
            Some(endpoint) => change.has_accounts(endpoint).await?,
            None => false,
        };
        rules::may_delete(&request, present.as_ref(), has_accounts)?;
        change.remove(&request.id).await?;
        let published = self.publisher.remove(&request.id).await;
        self.finish(change, published, &request.id, None).await?;
        tracing::info!(id = request.id, "removed");
        Ok(())
    }

    /// Waits for the first comparison, which has locked everything.
    async fn compared(&self) -> Result<(), ChangeError> {
        tokio::select! {
            () = self.moments.compared.cancelled() => Ok(()),
            () = self.moments.ends.cancelled() => Err(ChangeError::NotCompared),
            () = tokio::time::sleep(COMPARED) => Err(ChangeError::NotCompared),
        }
    }

    /// Commits what was published. Where either failed the topic may say what the database does not.
    async fn finish(
        self: &Arc<Self>,
        change: Box<dyn Change>,
        published: Result<(), PublishError>,
        id: &str,
        wanted: Option<&Registration>,
    ) -> Result<(), ChangeError> {
        match published {
            Ok(()) => {}
            Err(PublishError::TimedOut { id, limit, pending: Some(receipt) }) => {
                self.tasks.spawn(Arc::clone(self).settle(change, receipt, id.clone()).in_current_span());
                return Err(ChangeError::Late(PublishError::TimedOut { id, limit, pending: None }));
            }
            Err(error) => {
                drop(change);
                self.differs.notify_one();
                return Err(error.into());
            }
        }
        let Err(error) = change.commit().await else { return Ok(()) };
        tracing::warn!(id, %error, "a commit failed after its record was published");
        self.differs.notify_one();
        // The answer to the commit may be all that was lost.
        let mut again = self.store.begin(Scope::One(id)).await.map_err(ChangeError::Unknown)?;
        let present = again.get(id).await.map_err(ChangeError::Unknown)?;
        if present.as_ref() == wanted { Ok(()) } else { Err(ChangeError::Unknown(error)) }
    }

    /// Holds the lock of a change until its record was written or given up: written after the lock was free, it could
    /// land behind another record of the same revision, and nobody would see the difference.
    async fn settle(self: Arc<Self>, change: Box<dyn Change>, receipt: Receipt, id: String) {
        let outcome = tokio::select! {
            outcome = receipt => outcome,
            // Topic and database are compared at the next start.
            () = self.moments.ends.cancelled() => return drop(change),
        };
        let made = match outcome {
            Ok(_) => change.commit().await.map_err(|error| error.to_string()),
            Err(error) => {
                drop(change);
                Err(error.to_string())
            }
        };
        match made {
            Ok(()) => tracing::info!(id, "the topic acknowledged a registration late, and its change was committed"),
            Err(error) => {
                tracing::warn!(id, error, "a late change of a registration was not committed");
                self.differs.notify_one();
            }
        }
    }

    fn seal(&self, id: &str, request: &RegisterRequest) -> Result<Sealed, ChangeError> {
        let seal = |plain: &PlainSecret| -> Result<SealedSecret, ChangeError> {
            let sealed = self.key.seal(id, &SecretString::from(plain.value.clone()))?;
            Ok(SealedSecret { expires_at: plain.expires_at, ..sealed })
        };
        Ok(Sealed {
            secrets: request.secrets.iter().map(seal).collect::<Result<_, _>>()?,
            verify_token: request.verify_token.as_ref().map(seal).transpose()?,
        })
    }

    /// Protocol-neutral errors become codes; internal text goes to the log and not to the caller.
    fn status(&self, error: &ChangeError) -> Status {
        match error {
            ChangeError::Refused(refusal) => refused(refusal),
            ChangeError::Store(error) => store_failed(error),
            ChangeError::Publish(error) => {
                tracing::warn!(%error, "a registration was not published");
                unavailable("the registrations topic is unavailable: nothing was changed, retry")
            }
            ChangeError::Late(error) => {
                tracing::warn!(%error, "publishing a registration timed out");
                unavailable(
                    "the registrations topic did not acknowledge the change in time, and it may still be made: read \
                     the registration and retry",
                )
            }
            ChangeError::NotCompared => unavailable(
                "the registrations topic and database have not been compared since the start: nothing was changed, \
                 retry; the health checks of processing name the cause",
            ),
            ChangeError::Unknown(error) => {
                tracing::warn!(%error, "the outcome of a change of a registration is unknown");
                unavailable(
                    "the database did not confirm the change, and it may be made: read the registration and retry",
                )
            }
            ChangeError::Seal(error) => {
                tracing::error!(%error, "sealing a secret failed");
                Status::internal("a secret could not be sealed: nothing was changed")
            }
        }
    }
}

async fn present(change: &mut dyn Change, id: &str) -> Result<Present, StoreError> {
    let mut present = Present::default();
    // The endpoint first, always: no two changes then wait for each other.
    if let Some(endpoint) = endpoint_of(id) {
        present.has_endpoint = change.get(&endpoint).await?.is_some();
    }
    if let Some(endpoint) = id.strip_prefix("endpoint/") {
        present.first_tenant = change.first_tenant(endpoint).await?;
    }
    present.registration = change.get(id).await?;
    Ok(present)
}

fn refused(refusal: &RegistrationRefusal) -> Status {
    const KIND: &str = "weir.registration.v1.Registration";
    let message = refusal.to_string();
    let (code, details) = match refusal {
        RegistrationRefusal::Invalid { field, problem } => {
            (Code::InvalidArgument, ErrorDetails::with_bad_request_violation(field, problem))
        }
        RegistrationRefusal::Exists { id, .. } => {
            (Code::AlreadyExists, ErrorDetails::with_resource_info(KIND, id, "", &message))
        }
        RegistrationRefusal::Revision { id, .. } => {
            (Code::Aborted, ErrorDetails::with_resource_info(KIND, id, "", &message))
        }
        RegistrationRefusal::NotFound { id } => {
            (Code::NotFound, ErrorDetails::with_resource_info(KIND, id, "", &message))
        }
        RegistrationRefusal::NoEndpoint { endpoint } => (
            Code::FailedPrecondition,
            ErrorDetails::with_precondition_failure_violation("endpoint_missing", endpoint, &message),
        ),
        RegistrationRefusal::HasAccounts { id } => (
            Code::FailedPrecondition,
            ErrorDetails::with_precondition_failure_violation("endpoint_has_accounts", id, &message),
        ),
    };
    Status::with_error_details(code, message, details)
}

#[tonic::async_trait]
impl RegistrationService for Registrations {
    async fn register(&self, request: Request<RegisterRequest>) -> Result<Response<RegisterResponse>, Status> {
        let inner = Arc::clone(&self.inner);
        let registration = self.run(async move { inner.register(request.into_inner()).await }).await?;
        Ok(Response::new(RegisterResponse { registration: Some(registration) }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let GetRequest { id } = request.into_inner();
        rules::known_form(&id).map_err(|refusal| refused(&refusal))?;
        match self.inner.store.get(&id).await {
            Ok(Some(found)) => Ok(Response::new(GetResponse { registration: Some(rules::shown(found)) })),
            Ok(None) => Err(refused(&RegistrationRefusal::NotFound { id })),
            Err(error) => Err(store_failed(&error)),
        }
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let page = rules::page(&request.into_inner()).map_err(|refusal| refused(&refusal))?;
        let mut found = self.inner.store.list(&page).await.map_err(|error| store_failed(&error))?;
        let mut next_page_token = String::new();
        let shown = page.limit as usize - 1;
        if found.len() > shown {
            found.truncate(shown);
            next_page_token = found.last().map(|last| last.id.clone()).unwrap_or_default();
        }
        let registrations = found.into_iter().map(rules::shown).collect();
        Ok(Response::new(ListResponse { registrations, next_page_token }))
    }

    async fn delete(&self, request: Request<DeleteRequest>) -> Result<Response<DeleteResponse>, Status> {
        let inner = Arc::clone(&self.inner);
        self.run(async move { inner.delete(request.into_inner()).await }).await?;
        Ok(Response::new(DeleteResponse {}))
    }
}
