//! The endpoints that are open now: those of the settings, and those of the registrations.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::time::SystemTime;

use common::few::few;
use common::registration::v1::{Endpoint as Registered, Registration, SealedSecret, registration::Kind};
use common::registrations;
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use service::Counts;
use service::seal::SealingKey;
use sources::{SecretProblem, Secrets, Source};

use crate::answer::Refusal;
use crate::limit::{Lane, Limit};
use crate::meters::{BySource, Meters};
use crate::settings::EndpointSettings;

/// One endpoint, ready to verify. Never changes: a change of its registration makes a new one.
pub(crate) struct Endpoint {
    pub(crate) name: String,
    pub(crate) tenant: String,
    pub(crate) source: &'static dyn Source,
    /// From the settings: no registration can change it.
    pub(crate) fixed: bool,
    /// `ce_source` of its deliveries.
    pub(crate) ce_source: String,
    pub(crate) meters: Arc<Meters>,
    limit: Limit,
    keys: Keys,
}

impl Endpoint {
    /// The scheme that verifies these raw bytes.
    pub(crate) fn verify(&self, headers: &HeaderMap, body: &[u8], now: SystemTime) -> Result<&'static str, Refusal> {
        let active = self.keys.active(now);
        let verified = self.source.verify(headers, body, &active, now);
        verified.map_err(|error| match self.keys.judge(error.into(), Refusal::SignatureMismatch) {
            // One that can verify nothing may be the one that the sender has.
            Refusal::SignatureMismatch if self.useless(&active).next().is_some() => Refusal::Unusable,
            refusal => refusal,
        })
    }

    /// The answer to a handshake; `None` where the source has none.
    pub(crate) fn handshake(&self, query: &str, now: SystemTime) -> Option<Result<String, Refusal>> {
        let challenge = self.source.handshake(query, &self.keys.active(now))?;
        let judge = |refusal: sources::Refusal| self.keys.judge(refusal.into(), Refusal::Handshake);
        Some(challenge.map(|challenge| challenge.body).map_err(judge))
    }

    /// The lane of one more delivery.
    pub(crate) fn lane(&self) -> Result<Lane, Refusal> {
        self.limit.lane(self.source.traits().retries)
    }

    /// What is wrong with its secrets, for people.
    fn problem(&self, now: SystemTime) -> Option<String> {
        if !self.keys.unopened.is_empty() {
            return Some(format!("{}: needs sealing key {}", self.name, few(&self.keys.unopened, ", ")));
        }
        let active = self.keys.active(now);
        if active.active.is_empty() {
            return Some(format!("{}: has no active secret", self.name));
        }
        if let Some(problem) = self.useless(&active).next() {
            return Some(format!("{}: a secret {problem}", self.name));
        }
        let token = active.verify_token?;
        let problem = self.source.check_verify_token(token.expose_secret()).err()?;
        Some(format!("{}: the verify token {problem}", self.name))
    }

    /// What is wrong with each secret that can verify nothing: it was stored before anybody asked, or by somebody else.
    fn useless<'a>(&'a self, active: &Secrets<'a>) -> impl Iterator<Item = SecretProblem> + use<'a> {
        active.active.iter().filter_map(|secret| self.source.check_secret(secret.expose_secret()).err())
    }
}

/// The secrets of one endpoint.
#[derive(Default)]
struct Keys {
    /// Those that last longest first, so that the active ones are always a front part.
    secrets: Vec<SecretString>,
    /// The end of each; `None`: for ever.
    ends: Vec<Option<SystemTime>>,
    verify_token: Option<(SecretString, Option<SystemTime>)>,
    /// The ids of the keys that sealed what could not be unsealed.
    unopened: BTreeSet<String>,
}

impl Keys {
    fn new(mut secrets: Vec<(SecretString, Option<SystemTime>)>) -> Self {
        // `None`, for ever, is first; then the latest end.
        secrets.sort_by(|(_, a), (_, b)| a.is_some().cmp(&b.is_some()).then(b.cmp(a)));
        let (secrets, ends) = secrets.into_iter().unzip();
        Self { secrets, ends, ..Self::default() }
    }

    fn active(&self, now: SystemTime) -> Secrets<'_> {
        let lasts = |end: &Option<SystemTime>| end.is_none_or(|end| end > now);
        let count = self.ends.partition_point(lasts);
        let verify_token = self.verify_token.as_ref().filter(|(_, end)| lasts(end)).map(|(token, _)| token);
        Secrets { active: self.secrets.get(..count).unwrap_or_default(), verify_token }
    }

    /// What a mismatch means: while a secret could not be unsealed, it may be the one that fits, and the sender shall
    /// come again.
    fn judge(&self, refusal: Refusal, mismatch: Refusal) -> Refusal {
        if refusal == mismatch && !self.unopened.is_empty() { Refusal::Unusable } else { refusal }
    }
}

/// What stands behind a registered name.
enum Slot {
    Open(Arc<Endpoint>),
    /// Registered, and of no use to this version.
    Unusable(String),
}

/// The index. Looked up for each request, changed by the registrations.
pub(crate) struct Endpoints {
    fixed: HashMap<String, Arc<Endpoint>>,
    registered: RwLock<HashMap<String, Slot>>,
    key: Option<SealingKey>,
    meters: BySource,
    /// Told which endpoints there are.
    counts: Counts,
}

impl Endpoints {
    /// The endpoints of the settings, which have been validated; `key` unseals the secrets of registrations.
    pub(crate) fn new(settings: &[EndpointSettings], key: Option<SealingKey>, counts: Counts) -> Self {
        let (mut fixed, meters) = (HashMap::new(), BySource::default());
        for endpoint in settings {
            let Some(source) = sources::by_name(&endpoint.source) else { continue };
            let mut keys = Keys::new(endpoint.secrets.iter().map(|s| (s.secret().clone(), None)).collect());
            keys.verify_token = endpoint.verify_token.as_ref().map(|token| (token.secret().clone(), None));
            let open = Endpoint {
                name: endpoint.name.clone(),
                tenant: endpoint.tenant.clone(),
                source,
                fixed: true,
                ce_source: ce_source(&endpoint.name),
                meters: meters.of(source.name()),
                limit: Limit::new(endpoint.rate_limit.unwrap_or_default()),
                keys,
            };
            counts.endpoint_stays(&endpoint.name);
            fixed.insert(endpoint.name.clone(), Arc::new(open));
        }
        Self { fixed, registered: RwLock::default(), key, meters, counts }
    }

    /// The endpoint of that name. `all_known` is whether the registrations have been read to their end: until then
    /// one that is found may be outdated, and one that is not found may be there.
    pub(crate) fn lookup(&self, name: &str, all_known: bool) -> Result<Arc<Endpoint>, Refusal> {
        if let Some(endpoint) = self.fixed.get(name) {
            return Ok(Arc::clone(endpoint));
        }
        if !all_known {
            return Err(Refusal::RegistrationsUnread);
        }
        match self.read().get(name) {
            Some(Slot::Open(endpoint)) => Ok(Arc::clone(endpoint)),
            Some(Slot::Unusable(_)) => Err(Refusal::Unusable),
            None => Err(Refusal::UnknownEndpoint),
        }
    }

    /// Takes a record of the registrations: `None` where it was removed. Anybody who may write to the topic wrote it,
    /// so it is checked again.
    pub(crate) fn apply(&self, id: &str, registration: Option<Registration>) {
        let Some(name) = id.strip_prefix("endpoint/") else {
            // Whose account it is matters to processing only.
            return;
        };
        let slot = registration.map(|registration| self.slot(id, name, registration));
        match &slot {
            None => self.counts.endpoint_gone(name),
            Some(_) => self.counts.endpoint_here(name),
        }
        let mut registered = self.registered.write().unwrap_or_else(PoisonError::into_inner);
        match slot {
            None => {
                registered.remove(name);
                tracing::info!(endpoint = name, "endpoint removed");
            }
            Some(Err(invalid)) => {
                registered.remove(name);
                tracing::warn!(id, problem = %invalid, "registration is invalid, skipped");
            }
            Some(Ok(Slot::Open(mut endpoint))) => {
                // A change of a secret is no reason to forget what came in this second.
                if let (Some(Slot::Open(before)), Some(new)) = (registered.get(name), Arc::get_mut(&mut endpoint)) {
                    new.limit.go_on_from(&before.limit);
                }
                if self.fixed.contains_key(name) {
                    tracing::warn!(endpoint = name, "endpoint is in the settings, its registration is not used");
                }
                registered.insert(name.to_owned(), Slot::Open(endpoint));
            }
            Some(Ok(slot)) => {
                registered.insert(name.to_owned(), slot);
            }
        }
    }

    fn slot(
        &self,
        id: &str,
        name: &str,
        registration: Registration,
    ) -> Result<Slot, registrations::InvalidRegistration> {
        registrations::validate(&Registration { id: id.to_owned(), ..registration.clone() })?;
        let Registration { tenant, kind: Some(Kind::Endpoint(endpoint)), .. } = registration else {
            return Err(registrations::InvalidRegistration {
                field: "kind",
                problem: "is not an endpoint, but the id names one".into(),
            });
        };
        let Some(source) = sources::by_name(&endpoint.source) else {
            return Ok(Slot::Unusable(format!(
                "{name}: has source {:?}, which this version does not know",
                endpoint.source
            )));
        };
        Ok(Slot::Open(Arc::new(Endpoint {
            name: name.to_owned(),
            tenant,
            source,
            fixed: false,
            ce_source: ce_source(name),
            meters: self.meters.of(source.name()),
            limit: Limit::new(endpoint.rate_limit),
            keys: self.unseal(id, &endpoint),
        })))
    }

    fn unseal(&self, id: &str, endpoint: &Registered) -> Keys {
        let mut unopened = BTreeSet::new();
        let mut open = |sealed: &SealedSecret| {
            let opened = match &self.key {
                Some(key) => key.unseal(id, sealed).map_err(|error| error.to_string()),
                None => Err("there is no sealing key: set secrets.key_file".to_owned()),
            };
            match opened {
                // A time that no clock can show is over.
                Ok(secret) => {
                    let end = sealed.expires_at.map(|end| SystemTime::try_from(end).unwrap_or(SystemTime::UNIX_EPOCH));
                    Some((secret, end))
                }
                Err(error) => {
                    tracing::warn!(id, key_id = sealed.key_id, error, "secret cannot be unsealed");
                    unopened.insert(sealed.key_id.clone());
                    None
                }
            }
        };
        let secrets = endpoint.secrets.iter().filter_map(&mut open).collect();
        let verify_token = endpoint.verify_token.as_ref().and_then(&mut open);
        Keys { verify_token, unopened, ..Keys::new(secrets) }
    }

    /// What keeps endpoints from accepting deliveries, for people; ordered by name.
    pub(crate) fn problems(&self, now: SystemTime) -> Vec<String> {
        let registered = self.read();
        let mut problems: Vec<_> = self.fixed.values().filter_map(|endpoint| endpoint.problem(now)).collect();
        problems.extend(registered.values().filter_map(|slot| match slot {
            Slot::Open(endpoint) => endpoint.problem(now),
            Slot::Unusable(why) => Some(why.clone()),
        }));
        problems.sort();
        problems
    }

    /// The sources that have an open endpoint, each once, by name.
    pub(crate) fn sources(&self) -> BTreeSet<&'static str> {
        let registered = self.read();
        let open = registered.values().filter_map(|slot| match slot {
            Slot::Open(endpoint) => Some(endpoint.source.name()),
            Slot::Unusable(_) => None,
        });
        self.fixed.values().map(|endpoint| endpoint.source.name()).chain(open).collect()
    }

    /// How many stand in the settings and in the registrations.
    pub(crate) fn count(&self) -> (usize, usize) {
        (self.fixed.len(), self.read().len())
    }

    fn read(&self) -> RwLockReadGuard<'_, HashMap<String, Slot>> {
        self.registered.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ce_source(name: &str) -> String {
    format!("weir/streaming/{name}")
}

#[cfg(test)]
#[path = "endpoints_tests.rs"]
mod tests;
