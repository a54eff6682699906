//! `weir.enrichment.v1.EnrichmentService`: the look-up `registrations`, answered from memory.
//!
//! An endpoint is found by its name, an account by its endpoint and its id. What the operator wrote into their metadata
//! is told; secrets are no part of it.

use std::collections::BTreeMap;

use bus::TableHandle;
use common::enrichment::v1::enrichment_service_server::EnrichmentService;
use common::enrichment::v1::{Answer, Key, LookUpRequest, LookUpResponse};
use common::registrations::Registrations;
use tonic::{Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::failures::unavailable;
use crate::registrations::upkeep::View;

/// The look-up that is answered here.
pub const REGISTRATIONS: &str = "registrations";
/// More keys than any caller that works in batches asks about at once.
const MOST_KEYS: usize = 10_000;

/// The service.
#[derive(Debug, Clone)]
pub(crate) struct Enrichment {
    view: View,
    table: TableHandle,
}

impl Enrichment {
    /// Answers from the view, once the table has been read.
    pub(crate) fn new(view: View, table: TableHandle) -> Self {
        Self { view, table }
    }
}

#[tonic::async_trait]
impl EnrichmentService for Enrichment {
    async fn look_up(&self, request: Request<LookUpRequest>) -> Result<Response<LookUpResponse>, Status> {
        let LookUpRequest { lookup, keys } = request.into_inner();
        let refuse = |field: &str, problem: String| {
            let details = ErrorDetails::with_bad_request_violation(field, problem.clone());
            Err(Status::with_error_details(tonic::Code::InvalidArgument, format!("{field}: {problem}"), details))
        };
        if lookup != REGISTRATIONS {
            return refuse("lookup", format!("the look-up {lookup:?} does not exist: use {REGISTRATIONS:?}"));
        }
        if keys.len() > MOST_KEYS {
            return refuse("keys", format!("{} are too many: send at most {MOST_KEYS} in a request", keys.len()));
        }
        if !self.table.is_read() {
            return Err(unavailable("the registrations have not been read yet: retry"));
        }
        let answers = self.view.with(|registrations| keys.iter().map(|key| answer(key, registrations)).collect());
        Ok(Response::new(LookUpResponse { answers }))
    }
}

/// What is known about one key: metadata of its endpoint as `endpoint.<key>`, that of its account as `account.<key>`.
fn answer(key: &Key, registrations: &Registrations) -> Answer {
    let field = |name: &str| key.fields.get(name).map_or("", String::as_str);
    let (endpoint, account) = (field("endpoint"), field("account_id"));
    let mut attributes = BTreeMap::new();
    let mut found = false;
    let known = [("endpoint", registrations.endpoint(endpoint)), ("account", registrations.account(endpoint, account))];
    for (what, registration) in known {
        let Some(registration) = registration else { continue };
        found = true;
        let named = registration.metadata.iter().map(|(name, value)| (format!("{what}.{name}"), value.clone()));
        attributes.extend(named);
    }
    Answer { found, attributes }
}

#[cfg(test)]
#[path = "look_up_tests.rs"]
mod tests;
