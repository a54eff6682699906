//! The key that seals secrets.

use std::path::Path;

use anyhow::Context as _;
use service::SecretsSettings;
use service::seal::SealingKey;

/// The key of the settings; made where it is missing and that is allowed.
pub(crate) fn open(secrets: &SecretsSettings, create: bool) -> anyhow::Result<SealingKey> {
    let file = secrets.key_file.as_deref().context("secrets.key_file is not set")?;
    if create && !file.exists() {
        return create_file(file);
    }
    SealingKey::from_file(file).with_context(|| {
        let file = file.display();
        format!("secrets.key_file: cannot use {file}; create it, or set registrations.create_key_file on one instance")
    })
}

fn create_file(file: &Path) -> anyhow::Result<SealingKey> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("secrets.key_file: cannot create the folder {}", folder.display()))?;
    }
    let key =
        SealingKey::create_file(file).with_context(|| format!("secrets.key_file: cannot create {}", file.display()))?;
    tracing::info!(file = %file.display(), key = key.id(), "created the key that seals secrets: keep a copy of it");
    Ok(key)
}
