//! Answers what is on the topics, for tools that cannot reach the log: the embedded log is inside this process.

use std::pin::Pin;
use std::sync::Arc;

use bus::{Bus, Reader};
use common::log::v1::log_service_server::{LogService, LogServiceServer};
use common::log::v1::{ListTopicsRequest, ListTopicsResponse, ReadRequest, ReadResponse, Record};
use futures_util::Stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status};

use super::wire;

/// How many may read at once: each has readers of its own.
const READERS: usize = 16;
/// A message is sent when it holds so much.
const BATCH_RECORDS: usize = 200;
const BATCH_BYTES: usize = 1 << 20;
/// Messages that wait for a slow client.
const AHEAD: usize = 2;

/// The service.
#[derive(Debug)]
pub struct Service {
    bus: Bus,
    readers: Arc<Semaphore>,
    shutdown: CancellationToken,
    tasks: TaskTracker,
}

impl Service {
    /// To be added to the routes.
    pub fn server(bus: Bus, host: &service::Host) -> LogServiceServer<Self> {
        let (shutdown, tasks) = (host.shutdown().clone(), host.tasks().clone());
        let service = Self { bus, readers: Arc::new(Semaphore::new(READERS)), shutdown, tasks };
        LogServiceServer::new(service)
            .max_decoding_message_size(host.settings().grpc.max_message_bytes)
            .max_encoding_message_size(wire::LARGEST)
    }
}

type Answers = mpsc::Sender<Result<ReadResponse, Status>>;

#[tonic::async_trait]
impl LogService for Service {
    async fn list_topics(&self, _: Request<ListTopicsRequest>) -> Result<Response<ListTopicsResponse>, Status> {
        let mut topics = self.bus.topics().await.map_err(status)?;
        topics.sort();
        Ok(Response::new(ListTopicsResponse { topics }))
    }

    type ReadStream = Pin<Box<dyn Stream<Item = Result<ReadResponse, Status>> + Send>>;

    async fn read(&self, request: Request<ReadRequest>) -> Result<Response<Self::ReadStream>, Status> {
        let ReadRequest { topics, start, follow } = request.into_inner();
        if topics.is_empty() {
            return Err(Status::invalid_argument("topics: name at least one"));
        }
        let permit = Arc::clone(&self.readers).try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!("{READERS} readers are open already: end one of them, or wait"))
        })?;
        let reader = self.bus.reader(&topics, wire::asked(start)).await.map_err(status)?;
        let (answers, stream) = mpsc::channel(AHEAD);
        let shutdown = self.shutdown.clone();
        self.tasks.spawn(async move {
            let gone = answers.clone();
            tokio::select! {
                () = shutdown.cancelled() => {}
                // Somebody who follows a quiet topic and leaves must not hold a reader.
                () = gone.closed() => {}
                () = send(reader, follow, answers, permit) => {}
            }
        });
        let stream = futures_util::stream::unfold(stream, |mut stream| async move {
            let answer = stream.recv().await?;
            Some((answer, stream))
        });
        Ok(Response::new(Box::pin(stream)))
    }
}

/// Sends what there is, then, if it is asked for, what comes.
async fn send(mut reader: Reader, follow: bool, answers: Answers, _permit: OwnedSemaphorePermit) {
    let mut batch = Batch::default();
    loop {
        match reader.next_until_end().await {
            Ok(Some(record)) => {
                batch.add(wire::record(record));
                if batch.is_full() && answers.send(Ok(batch.take(false))).await.is_err() {
                    return;
                }
            }
            Ok(None) => break,
            Err(error) => return drop(answers.send(Err(status(error))).await),
        }
    }
    if answers.send(Ok(batch.take(true))).await.is_err() || !follow {
        return;
    }
    loop {
        match reader.next().await {
            Ok(record) => {
                batch.add(wire::record(record));
                if answers.send(Ok(batch.take(false))).await.is_err() {
                    return;
                }
            }
            Err(error) => return drop(answers.send(Err(status(error))).await),
        }
    }
}

#[derive(Default)]
struct Batch {
    records: Vec<Record>,
    bytes: usize,
}

impl Batch {
    fn add(&mut self, record: Record) {
        self.bytes += record.payload.as_ref().map_or(0, Vec::len);
        self.records.push(record);
    }

    fn is_full(&self) -> bool {
        self.records.len() >= BATCH_RECORDS || self.bytes >= BATCH_BYTES
    }

    fn take(&mut self, caught_up: bool) -> ReadResponse {
        self.bytes = 0;
        ReadResponse { records: std::mem::take(&mut self.records), caught_up }
    }
}

pub(super) fn status(error: bus::Error) -> Status {
    let text = error.to_string();
    match error {
        bus::Error::NoTopic { .. } => Status::not_found(text),
        bus::Error::OutOfRange { .. } | bus::Error::Replaced { .. } => Status::out_of_range(text),
        bus::Error::Unavailable { .. } | bus::Error::TimedOut { .. } => Status::unavailable(text),
        _ => Status::internal(text),
    }
}
