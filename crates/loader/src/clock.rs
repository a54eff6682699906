//! The clock, as the logs of tables write it.

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = service::clock::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
