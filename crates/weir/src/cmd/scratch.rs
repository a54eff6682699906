//! What a command has seen already: more than fits into memory, in a folder that is gone when it ends.

use anyhow::Context as _;
use bus::settings::ClaimsStore;
use bus::{Bus, Claims, Settings};

/// Claims that are nobody else's.
#[derive(Debug)]
pub(super) struct Scratch {
    pub(super) claims: Claims,
    _folder: tempfile::TempDir,
}

impl Scratch {
    /// An empty one, where the system keeps what is temporary (`TMPDIR`).
    pub(super) async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot create a scratch folder: TMPDIR names its place")?;
        let mut scratch = settings.clone();
        scratch.kafka.brokers.clear();
        scratch.data_dir = folder.path().to_owned();
        scratch.claims.store = ClaimsStore::Embedded;
        let claims = Bus::open(&scratch).context("cannot open the scratch folder")?.claims().await?;
        claims.restored().await?;
        Ok(Self { claims, _folder: folder })
    }
}
