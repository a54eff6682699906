//! What is local: the database's settings and the key.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use service::seal::SealingKey;
use sqlx::postgres::PgConnectOptions;

use crate::registrations::postgres::PostgresStore;
use crate::registrations::sqlite::SqliteStore;
use crate::registrations::store::RegistrationStore;
use crate::settings::{Database, RegistrationsSettings, Settings};

/// A change may be silent on its connection until its record is delivered or given up and this long; then the server
/// ends it.
const TRANSACTION_SPARE: Duration = Duration::from_secs(30);

/// Opens the database of the settings; connects to nothing. `delivery`: when the log gives a record up.
pub(crate) fn store(
    settings: &RegistrationsSettings,
    delivery: Duration,
) -> anyhow::Result<Arc<dyn RegistrationStore>> {
    let lock = Duration::from_millis(settings.lock_timeout_ms);
    let connections = settings.max_connections;
    match settings.database() {
        Err(problem) => anyhow::bail!("registrations.database {problem}"),
        Ok(Database::Sqlite(path)) => Ok(Arc::new(SqliteStore::new(&path, connections, lock))),
        Ok(Database::Postgres(url)) => {
            // The driver's error would show the URL, and with it whatever stands there by mistake.
            let mut options: PgConnectOptions =
                url.parse().map_err(|_| anyhow::anyhow!("registrations.database is not a URL of PostgreSQL"))?;
            let file = &settings.password_file;
            if !file.as_os_str().is_empty() {
                let password = std::fs::read_to_string(file)
                    .with_context(|| format!("registrations.password_file: cannot read {}", file.display()))?;
                options = options.password(password.trim_end_matches(['\r', '\n']));
            }
            let silent = Duration::from_millis(settings.publish_timeout_ms).max(delivery) + TRANSACTION_SPARE;
            Ok(Arc::new(PostgresStore::new(options, connections, lock, silent)))
        }
    }
}

/// The key that seals secrets; made where it is missing and that is allowed.
pub(crate) fn sealing_key(settings: &Settings) -> anyhow::Result<SealingKey> {
    let file = settings.secrets.key_file.as_deref().context("secrets.key_file is not set")?;
    if settings.registrations.create_key_file && !file.exists() {
        return create_key(file);
    }
    SealingKey::from_file(file).with_context(|| {
        let file = file.display();
        format!("secrets.key_file: cannot use {file}; make it, or set registrations.create_key_file on one instance")
    })
}

fn create_key(file: &Path) -> anyhow::Result<SealingKey> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("secrets.key_file: cannot make the folder {}", folder.display()))?;
    }
    let key =
        SealingKey::create_file(file).with_context(|| format!("secrets.key_file: cannot make {}", file.display()))?;
    tracing::info!(file = %file.display(), key = key.id(), "made a key that seals secrets: keep a copy of it");
    Ok(key)
}
