//! What a caller of a service is told when the log or the database fails. The cause is logged here, and is not told: it
//! may hold internal text.

use std::time::Duration;

use database::Error as Failed;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use crate::registrations::store::StoreError;

/// For an error of the log.
pub(crate) fn bus_failed(error: &bus::Error) -> Status {
    tracing::warn!(%error, "reading from the log or writing to it failed");
    unavailable("the log is unavailable or cannot be read: retry; the health checks name the cause")
}

/// For an error of the registrations' database.
pub(crate) fn store_failed(error: &StoreError) -> Status {
    tracing::warn!(%error, "a call to the registrations database failed");
    match error {
        StoreError::Corrupt { .. } => {
            Status::data_loss("a row of the registrations database is corrupt: see the log of processing")
        }
        StoreError::Database(Failed::Locked { .. }) => {
            unavailable("another change of this registration is under way: retry")
        }
        StoreError::Database(Failed::ReadOnly { .. }) => {
            unavailable("the registrations database is read-only: nothing was changed, retry")
        }
        StoreError::Database(_) => unavailable("the registrations database is unavailable: nothing was changed, retry"),
    }
}

/// Says when to retry, beside the message.
pub(crate) fn unavailable(message: &str) -> Status {
    let retry = ErrorDetails::with_retry_info(Some(Duration::from_secs(1)));
    Status::with_error_details(Code::Unavailable, message, retry)
}
