//! Listening, with errors that name the setting.

use std::io::{self, ErrorKind};

use anyhow::Context as _;
use tokio::net::TcpListener;

/// Why nothing listens on an address.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address} (setting {setting}): {advice}")]
pub struct ListenError {
    setting: String,
    address: String,
    advice: String,
    /// Whether another process has the port.
    pub in_use: bool,
}

impl ListenError {
    fn new(setting: &str, address: &str, error: &io::Error) -> Self {
        let advice = match error.kind() {
            ErrorKind::AddrInUse => "address in use; choose another or port 0 for a free one".to_owned(),
            ErrorKind::AddrNotAvailable => {
                "this machine has no such address; choose one of its own, 127.0.0.1 or 0.0.0.0".to_owned()
            }
            ErrorKind::PermissionDenied => {
                "not permitted; ports below 1024 need a privilege, choose a higher one".to_owned()
            }
            ErrorKind::InvalidInput => "not an address; write host:port, for example 127.0.0.1:8081".to_owned(),
            _ => format!("{error}; write host:port, for example 127.0.0.1:8081"),
        };
        let in_use = error.kind() == ErrorKind::AddrInUse;
        Self { setting: setting.to_owned(), address: address.to_owned(), advice, in_use }
    }
}

/// Listens on `address` (`host:port`), which stands in the setting `setting`, for example `admin.listen`.
///
/// # Errors
/// When it cannot: a [`ListenError`], which names the setting and says what to do.
pub async fn bind(setting: &str, address: &str) -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind(address).await.map_err(|error| ListenError::new(setting, address, &error))?;
    let taken = listener
        .local_addr()
        .with_context(|| format!("cannot read the address that was bound for setting {setting}"))?;
    tracing::info!(setting, address = %taken, "listening");
    Ok(listener)
}
