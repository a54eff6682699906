//! Listening, with errors that name the setting.

use std::io::ErrorKind;

use anyhow::{Context as _, anyhow};
use tokio::net::TcpListener;

/// Listens on `address` (`host:port`), which stands in the setting `setting`, for example `admin.listen`.
///
/// # Errors
/// When it cannot; the message names the setting and says what to do.
pub async fn bind(setting: &str, address: &str) -> anyhow::Result<TcpListener> {
    let listener = match TcpListener::bind(address).await {
        Ok(listener) => listener,
        Err(error) => {
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
            return Err(anyhow!("cannot listen on {address} (setting {setting}): {advice}"));
        }
    };
    let taken = listener
        .local_addr()
        .with_context(|| format!("cannot read the address that was bound for setting {setting}"))?;
    tracing::info!(setting, address = %taken, "listening");
    Ok(listener)
}
