//! A file on its way to the store: as a whole where it is small, and else in parts, one at a time. Of a file that does not come to
//! be the store keeps no part: nobody sees them, and the vacuum does not find them.

use std::mem::take;
use std::sync::Arc;

use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt as _, PutPayload, PutPayloadMut, Result};
use tokio::task::JoinSet;

/// What the store gets at once of a file that is larger. An object store takes no part below 5 MiB.
pub(super) const PART: usize = 6 << 20;

/// A file on its way.
pub(super) struct Upload {
    store: Arc<dyn ObjectStore>,
    to: Path,
    /// What does not fill a part yet.
    rest: PutPayloadMut,
    /// None: nothing of it is in the store.
    parts: Option<Box<dyn MultipartUpload>>,
    /// The part that is on its way.
    part: JoinSet<Result<()>>,
}

impl Upload {
    pub(super) fn begin(store: &Arc<dyn ObjectStore>, to: &Path) -> Self {
        let (store, to) = (Arc::clone(store), to.clone());
        Self { store, to, rest: PutPayloadMut::new(), parts: None, part: JoinSet::new() }
    }

    /// Takes what comes next, once the part before has arrived.
    pub(super) async fn write(&mut self, mut block: Bytes) -> Result<()> {
        self.arrived().await?;
        while !block.is_empty() {
            let room = PART.saturating_sub(self.rest.content_length());
            self.rest.push(block.split_to(room.min(block.len())));
            if self.rest.content_length() >= PART {
                let part = take(&mut self.rest).into();
                self.send(part).await?;
            }
        }
        Ok(())
    }

    async fn send(&mut self, part: PutPayload) -> Result<()> {
        self.arrived().await?;
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => self.parts.insert(self.store.put_multipart(&self.to).await?),
        };
        self.part.spawn(parts.put_part(part));
        Ok(())
    }

    async fn arrived(&mut self) -> Result<()> {
        while let Some(arrived) = self.part.join_next().await {
            arrived.map_err(|error| object_store::Error::Generic { store: "lake", source: error.into() })??;
        }
        Ok(())
    }

    /// The file is there when this has returned.
    pub(super) async fn finish(&mut self) -> Result<()> {
        let rest: PutPayload = take(&mut self.rest).into();
        if self.parts.is_none() {
            return self.store.put(&self.to, rest).await.map(drop);
        }
        if rest.content_length() > 0 {
            self.send(rest).await?;
        }
        self.arrived().await?;
        let Some(parts) = &mut self.parts else { return Ok(()) };
        parts.complete().await?;
        self.parts = None;
        Ok(())
    }

    /// Takes back what the store has of it.
    pub(super) async fn abort(&mut self) -> Result<()> {
        self.part.shutdown().await;
        match self.parts.take() {
            Some(mut parts) => parts.abort().await,
            None => Ok(()),
        }
    }
}
