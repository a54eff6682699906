//! A range: its files into the store, then its load request.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bus::{Ack, Canary, ConsumerState, Error, Headers, Record};
use common::backoff::Backoff;
use common::load::v1::{File, LoadRequest};
use common::topics::{ACTIVITIES, LOADS};
use lake::{Lake, columns};
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};
use service::trace;
use stage::Partition;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::files::{DayFile, Finished};
use crate::range::TurnRange;
use crate::shared::Shared;

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What all uploads have in common.
#[derive(Debug)]
pub(crate) struct Uploads {
    pub(crate) lake: Lake,
    pub(crate) topic_id: Arc<str>,
}

/// What came of a range.
#[derive(Debug)]
pub(crate) struct Content {
    /// The log's identity, as all its records have it.
    pub(crate) log: Arc<str>,
    /// By day.
    pub(crate) files: BTreeMap<String, DayFile>,
    /// Of the records that are held until the range is requested.
    pub(crate) held: Vec<Ack>,
    /// The canaries among them, the latest of each way.
    pub(crate) canaries: Vec<Canary>,
}

/// How the upload of a range ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) place: Partition,
    pub(crate) range: TurnRange,
    /// What was held for it, if the request is acknowledged; none if its turn was over before. An error: the process
    /// must not go on.
    pub(crate) outcome: anyhow::Result<Option<Vec<Ack>>>,
}

impl Uploads {
    /// Tries until the range is requested, or its turn is over.
    pub(crate) async fn run(
        &self,
        place: Partition,
        range: TurnRange,
        content: Content,
        over: CancellationToken,
        consumer: &ConsumerState,
        shared: &Shared,
    ) -> Ended {
        let span = tracing::info_span!(
            parent: None, "load request", topic = %place.0, partition = place.1, from = range.from, to = range.to,
            request = tracing::field::Empty
        );
        let outcome = self.range(&place, range, content, &over, consumer, shared).instrument(span).await;
        Ended { place, range, outcome }
    }

    async fn range(
        &self,
        place: &Partition,
        range: TurnRange,
        content: Content,
        over: &CancellationToken,
        consumer: &ConsumerState,
        shared: &Shared,
    ) -> anyhow::Result<Option<Vec<Ack>>> {
        let Content { log, files, held, canaries } = content;
        let finished = tokio::task::spawn_blocking(move || {
            files.into_iter().map(|(day, file)| Ok((day, file.finish()?))).collect::<anyhow::Result<Vec<_>>>()
        });
        let finished = finished.await??;
        let mut uploaded: Vec<(Path, File)> = Vec::with_capacity(finished.len());
        let uploading = async {
            for (day, file) in finished {
                uploaded.push(self.put(&day, file, shared).await);
            }
        };
        let is_on = || consumer.assignment_of(&place.0, place.1).is_some_and(|turn| turn.epoch == range.epoch);
        if over.run_until_cancelled(uploading).await.is_none() || !is_on() {
            self.delete(&uploaded).await;
            return Ok(None);
        }
        let topic_id = over.run_until_cancelled(self.topic_id(shared)).await;
        match topic_id {
            None => {
                self.delete(&uploaded).await;
                return Ok(None);
            }
            Some(id) if id != self.topic_id => {
                self.delete(&uploaded).await;
                anyhow::bail!(
                    "topic {} was deleted and recreated: its offsets start over; restart the enricher",
                    place.0
                );
            }
            Some(_) => {}
        }
        let request = LoadRequest {
            id: uuid::Uuid::new_v4().simple().to_string(),
            table: columns::ACTIVITIES.to_owned(),
            log: log.to_string(),
            topic: place.0.to_string(),
            topic_id: self.topic_id.to_string(),
            partition: place.1,
            from: range.from,
            to: range.to,
            files: uploaded.into_iter().map(|(_, file)| file).collect(),
            created_at: Some(service::clock::timestamp()),
            offset_column: columns::WEIR_OFFSET.to_owned(),
            partition_columns: columns::PARTITION_COLUMNS.iter().map(|name| (*name).to_owned()).collect(),
        };
        tracing::Span::current().record("request", &request.id);
        // From here on the request may be on the log, whatever the answer: its files are not ours any more.
        Ok(over.run_until_cancelled(send(&request, &canaries, shared)).await.map(|()| held))
    }

    /// Puts a file into the store, as often as it takes.
    async fn put(&self, day: &str, file: Finished, shared: &Shared) -> (Path, File) {
        let folder = format!("{}={day}", columns::DAY);
        let name = format!("{}.parquet", uuid::Uuid::new_v4());
        let path = self.lake.table_path(columns::ACTIVITIES).join(folder.as_str()).join(name.as_str());
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        while let Err(error) = self.lake.store().put(&path, PutPayload::from(file.bytes.clone())).await {
            shared.checks.lake_failed(&error.to_string());
            tracing::debug!(%path, %error, "writing a file to the lake failed, retrying");
            tokio::time::sleep(backoff.pause()).await;
        }
        shared.checks.lake_ok();
        metrics::counter!("weir_enricher_files_total").increment(1);
        metrics::counter!("weir_enricher_file_bytes_total").increment(file.bytes.len() as u64);
        let described = File {
            path: format!("{folder}/{name}"),
            size_bytes: file.bytes.len() as u64,
            rows: file.rows,
            partition_values: [(columns::DAY.to_owned(), day.to_owned())].into(),
            first_offset: file.first,
            last_offset: file.last,
        };
        (path, described)
    }

    async fn topic_id(&self, shared: &Shared) -> Arc<str> {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        loop {
            match shared.bus.topic_identity(ACTIVITIES.name()).await {
                Ok(id) => return id,
                Err(error) => tracing::debug!(%error, "reading the id of a topic failed, retrying"),
            }
            tokio::time::sleep(backoff.pause()).await;
        }
    }

    /// Files of a turn that is over. What cannot be deleted stays: it belongs to no table and does no harm.
    async fn delete(&self, uploaded: &[(Path, File)]) {
        for (path, _) in uploaded {
            if let Err(error) = self.lake.store().delete(path).await {
                tracing::debug!(%path, %error, "deleting a file of an ended assignment failed");
            }
        }
    }
}

/// Sends a request, as often as it takes. Written twice it does no harm: its range is loaded once.
async fn send(request: &LoadRequest, canaries: &[Canary], shared: &Shared) {
    let traceparent = trace::current_traceparent();
    let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
    loop {
        let headers = Headers {
            id: request.id.clone(),
            source: "weir/enricher".to_owned(),
            time: request.created_at,
            traceparent: traceparent.clone(),
            canaries: canaries.to_vec(),
            ..Headers::default()
        };
        let record = Record::new(&LOADS, request.table.clone(), request, headers);
        let sent = match shared.outbox.producer.try_send(record) {
            Ok(receipt) => receipt.await.map(drop),
            Err(error) => Err(error),
        };
        match sent {
            Ok(()) => {
                metrics::counter!("weir_enricher_load_requests_total").increment(1);
                shared.checks.request_ok();
                return;
            }
            Err(Error::Full) => {}
            Err(error) => {
                tracing::warn!(request = request.id, %error, "a load request was not acknowledged, re-sending it");
                shared.checks.request_failed(&error.to_string());
            }
        }
        tokio::time::sleep(backoff.pause()).await;
    }
}
