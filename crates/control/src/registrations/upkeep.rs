//! What keeps registrations usable: the schema, the topic that says what the database says, and the truth about both.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bus::{Bus, TableHandle};
use common::backoff::Backoff;
use common::registration::v1::Registration;
use common::registrations::Registrations as Index;
use service::{Action, CheckHandle, CheckSpec, Counts, Health};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::publish::{self, Plan, Publisher, ReconcileError};
use super::store::{RegistrationStore, Scope, StoreError};

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// The topic as it has been read so far. Clones are one.
#[derive(Debug, Clone)]
pub struct View {
    inner: Arc<RwLock<Seen>>,
    counts: Counts,
}

#[derive(Debug, Default)]
struct Seen {
    index: Index,
    revisions: HashMap<String, u64>,
}

impl View {
    /// Nothing has been read; `counts` are told which endpoints there are.
    pub fn new(counts: Counts) -> Self {
        Self { inner: Arc::default(), counts }
    }

    /// Takes in a record of the topic.
    pub fn apply(&self, id: &str, registration: Option<Registration>) {
        if let Some(endpoint) = id.strip_prefix("endpoint/") {
            // Its series go with it.
            match registration {
                None => self.counts.endpoint_gone(endpoint),
                Some(_) => self.counts.endpoint_here(endpoint),
            }
        }
        let mut seen = self.inner.write().unwrap_or_else(PoisonError::into_inner);
        match &registration {
            Some(registration) => seen.revisions.insert(id.to_owned(), registration.revision),
            None => seen.revisions.remove(id),
        };
        seen.index.apply(id, registration);
    }

    /// Looks something up. Not to be held for long: the topic waits.
    pub fn with<T>(&self, look: impl FnOnce(&Index) -> T) -> T {
        look(&self.inner.read().unwrap_or_else(PoisonError::into_inner).index)
    }

    /// Whether it has the same registrations at the same revisions.
    pub fn agrees(&self, revisions: &[(String, u64)]) -> bool {
        let seen = self.inner.read().unwrap_or_else(PoisonError::into_inner);
        seen.revisions.len() == revisions.len()
            && revisions.iter().all(|(id, revision)| seen.revisions.get(id) == Some(revision))
    }
}

/// What the upkeep works with.
#[derive(Debug)]
pub struct Upkeep {
    /// The database.
    pub store: Arc<dyn RegistrationStore>,
    /// The bus.
    pub bus: Bus,
    /// Writes to the topic.
    pub publisher: Publisher,
    /// What has been read of the topic.
    pub view: View,
    /// Whether it has been read.
    pub table: TableHandle,
    /// Told when topic and database may differ.
    pub differs: Arc<Notify>,
    /// Time between two comparisons.
    pub compare: Duration,
    /// Time between two looks whether the database answers.
    pub look: Duration,
    /// Whether the database may remove more than a few registrations from the topic.
    pub allow_removals: bool,
    /// Cancelled when topic and database were compared for the first time: no change is made before.
    pub compared: CancellationToken,
}

/// Its checks.
#[derive(Debug)]
pub struct Checks {
    database: CheckHandle,
    published: CheckHandle,
}

impl Checks {
    /// Adds them.
    pub fn new(health: &Health) -> Self {
        let check = |name, action, gates_readiness| {
            health.check(CheckSpec { name, action, gates_readiness, unit: "", threshold: None })
        };
        Self {
            database: check("registrations_database", Action::Page, true),
            published: check("registrations_published", Action::Page, false),
        }
    }
}

impl Upkeep {
    /// Runs until it is cancelled.
    pub async fn run(self, checks: Checks, shutdown: CancellationToken) {
        let work = async {
            self.prepare(&checks).await;
            let mut settled = self.reconcile(&checks).await;
            let mut compared = Duration::ZERO;
            loop {
                let told = tokio::time::timeout(self.look, self.differs.notified()).await.is_ok();
                compared += self.look;
                let due = compared >= self.compare;
                if due {
                    compared = Duration::ZERO;
                }
                if told || due && (!settled || self.differ(&checks).await) {
                    settled = self.reconcile(&checks).await;
                } else {
                    self.ping(&checks).await;
                }
            }
        };
        let _ = shutdown.run_until_cancelled(work).await;
    }

    async fn prepare(&self, checks: &Checks) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            match self.store.prepare().await {
                Ok(()) => return checks.database.ok("answers"),
                Err(error) => {
                    if matches!(&error, StoreError::Database(error) if error.is_permanent()) {
                        tracing::error!(%error, "the registrations database cannot be used");
                    } else {
                        tracing::debug!(%error, "the registrations database is not ready, retrying");
                    }
                    checks.database.fail(error.to_string());
                }
            }
            tokio::time::sleep(backoff.pause()).await;
        }
    }

    /// Comes again until topic and database were compared; whether they say the same now. If not, a person has to
    /// decide, and they are compared again at the next time.
    async fn reconcile(&self, checks: &Checks) -> bool {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        // A fresh installation starts its services before all of its topics are made. That one is missing is told by the
        // check of the topics.
        let may_be_made = !self.compared.is_cancelled();
        loop {
            match self.try_reconcile(checks).await {
                Ok(plan) => {
                    reconciled(&plan);
                    self.compared.cancel();
                    checks.published.ok("topic and database agree");
                    return true;
                }
                Err(error @ (ReconcileError::TooManyRemovals { .. } | ReconcileError::NotAdopted { .. })) => {
                    checks.published.fail(error.to_string());
                    if matches!(error, ReconcileError::TooManyRemovals { .. }) {
                        self.compared.cancel();
                    }
                    return false;
                }
                Err(ReconcileError::Read(error @ bus::Error::NoTopic { .. })) if may_be_made => {
                    checks.published.unknown(error.to_string());
                }
                Err(error) => {
                    tracing::debug!(%error, "the registrations topic and database could not be compared, retrying");
                    checks.published.fail(error.to_string());
                    // Somebody else's lock is no failure of the database.
                    if let ReconcileError::Store(error) = &error
                        && !error.is_locked()
                    {
                        checks.database.fail(error.to_string());
                    }
                }
            }
            tokio::time::sleep(backoff.pause()).await;
        }
    }

    async fn try_reconcile(&self, checks: &Checks) -> Result<Plan, ReconcileError> {
        let change = self.store.begin(Scope::All).await?;
        checks.database.ok("answers");
        publish::reconcile(change, &self.bus, &self.publisher, self.allow_removals).await
    }

    async fn ping(&self, checks: &Checks) {
        match self.store.ping().await {
            Ok(()) => checks.database.ok("answers"),
            Err(error) => checks.database.fail(error.to_string()),
        }
    }

    /// Whether topic and database say different things. A change that is under way looks so too: then a
    /// reconciliation, which waits for it, finds nothing to do.
    async fn differ(&self, checks: &Checks) -> bool {
        match self.store.revisions().await {
            Ok(revisions) => {
                checks.database.ok("answers");
                self.table.is_remade() || self.table.is_read() && !self.view.agrees(&revisions)
            }
            Err(error) => {
                checks.database.fail(error.to_string());
                false
            }
        }
    }
}

fn reconciled(plan: &Plan) {
    let count = match plan {
        Plan::Adopt(adopted) => {
            let adopted = adopted.len();
            tracing::warn!(
                adopted,
                "the registrations database was empty and took over the registrations on the topic"
            );
            adopted
        }
        Plan::Write(difference) => {
            let (published, removed) = (difference.publish.len(), difference.remove.len());
            if published + removed > 0 {
                tracing::warn!(
                    published,
                    removed,
                    "the registrations topic differed from the database and was corrected"
                );
            }
            published + removed
        }
    };
    if count > 0 {
        metrics::describe_counter!(
            "weir_registrations_reconciled_total",
            "Registrations on the topic that differed from the database and were corrected."
        );
        metrics::counter!("weir_registrations_reconciled_total").increment(count as u64);
    }
}
