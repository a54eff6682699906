//! `weir.deadletter.v1.DeadLetterService`: decode, read, answer; invalid fields are mapped here.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bus::{Bus, Error, Producer, TableHandle};
use common::deadletter::v1::dead_letter_service_server::DeadLetterService;
use common::deadletter::v1::{
    CountRawRequest, CountRawResponse, DeadLetter, Found, GetRequest, GetResponse, ListReplaysRequest,
    ListReplaysResponse, ListRequest, ListResponse, Replay, ReplayRawRequest, ReplayRawResponse, ReplayRequest,
    ReplayResponse, StatsRequest, StatsResponse,
};
use common::identity::Id;
use futures_util::{Stream, TryStreamExt as _};
use service::Host;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc};
use tokio::time::Instant;
use tonic::{Code, Request, Response, Status};
use tonic_types::{ErrorDetails, StatusExt as _};
use tracing::Instrument as _;

use super::index::{self, Progress};
use super::indexer::Letters;
use super::page::{self, Cursor, Page};
use super::plan::{self, Aim, ReplayLimits, ReplayRefusal, Way};
use super::replay::Again;
use super::scan::{self, Scan};
use super::select::{self, Filter, InvalidField};
use super::stats::Stats;
use crate::failures::{bus_failed, store_failed, unavailable};
use crate::registrations::store::RegistrationStore;
use crate::registrations::upkeep::View;
use crate::replay::account::RawAccount;
use crate::replay::course::{Course, Order, Tools, Work};
use crate::replay::raw::Raw;
use crate::replay::reader::ReadsRaw;
use crate::replay::select::{Known, RawFilter};

/// Records per second where nothing is said, and the most there may be.
const RATE: NonZeroU32 = NonZeroU32::MIN.saturating_add(99);
const FASTEST: u32 = 100_000;
/// How many may read the topic at once: each has a reader of its own. Others wait.
const READERS: usize = 4;
/// What is read for one page, and for how long, before it is answered with what was found and the place to go on.
const MOST_READ: u64 = 50_000;
const PATIENCE: Duration = Duration::from_secs(5);
/// Answers that wait for a slow client.
const AHEAD: usize = 4;
/// The longest name of who asks.
const MAX_NAME: usize = 200;

/// What the replay of raw deliveries needs to know of the stage that reads them.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The names of the sources that it processes.
    pub(crate) sources: Vec<&'static str>,
    /// The consumer group of each of its topics.
    pub(crate) groups: BTreeMap<String, String>,
    /// How it reads them.
    pub(crate) reader: Arc<dyn ReadsRaw>,
    /// The registrations, once they have been read.
    pub(crate) view: View,
    /// Whether they have.
    pub(crate) table: TableHandle,
}

/// The service. Clones are one.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    bus: Bus,
    letters: Letters,
    producer: Producer,
    store: Arc<dyn RegistrationStore>,
    host: Host,
    stage: Stage,
    reading: Semaphore,
    replaying: Arc<Semaphore>,
}

impl DeadLetters {
    /// Replays run as tasks of the host, and end with it.
    pub(crate) fn new(
        bus: Bus,
        producer: Producer,
        store: Arc<dyn RegistrationStore>,
        host: Host,
        stage: Stage,
    ) -> Self {
        let (reading, replaying) = (Semaphore::new(READERS), Arc::new(Semaphore::new(1)));
        let letters = Letters::new(&bus);
        let (following, until) = (letters.clone(), host.shutdown().clone());
        host.tasks().spawn(async move { until.run_until_cancelled(following.follow()).await });
        Self { inner: Arc::new(Inner { bus, letters, producer, store, host, stage, reading, replaying }) }
    }
}

impl Inner {
    /// One of those who may read the topic.
    async fn turn(&self) -> Result<SemaphorePermit<'_>, Status> {
        self.reading.acquire().await.map_err(|_| Status::unavailable("processing is shutting down"))
    }

    /// The newest, with how many were read for them.
    async fn page(&self, filter: &Filter, size: usize, before: Option<&Cursor>) -> Result<(Page, u64), Error> {
        let mut spans = self.letters.spans();
        let ranges = scan::meant(&self.letters, &mut spans, filter).await?;
        let (mut page, mut read, began) = (Page::new(size, &ranges, before), 0, Instant::now());
        while read < MOST_READ && began.elapsed() < PATIENCE {
            let wanted = page.wants(|piece| self.letters.index().may_have(filter, piece));
            let Some(piece) = wanted else { break };
            let (mut found, mut next) = (Vec::new(), piece.from);
            while next < piece.until {
                let span = spans.read(piece.partition, next, piece.until).await?;
                (next, read) = (span.next, read + span.records.len() as u64);
                let meant = span.records.iter().filter_map(|stored| {
                    let letter = index::letter(stored).filter(|letter| filter.fits(letter))?;
                    Some((stored.coordinates.offset, scan::found(stored, letter, false)))
                });
                found.extend(meant);
            }
            page.add(piece, found);
        }
        Ok((page, read))
    }

    /// Counts, with how many were read for them, and how far the index is.
    async fn counts(&self, filter: &Filter) -> Result<(Stats, u64, Progress), Error> {
        let progress = self.letters.catch_up(PATIENCE).await?;
        let mut stats = Stats::default();
        let to_read = self.letters.index().count(filter, &mut stats);
        let mut scan = Scan::of(self.letters.spans(), filter, to_read);
        while let Some((_, letter)) = scan.next().await? {
            stats.add(&letter);
        }
        Ok((stats, scan.read(), progress))
    }

    async fn limits(&self) -> Result<ReplayLimits, Status> {
        let settings = self.bus.settings();
        // Waits for a log that is away; whoever asks need not.
        let log = tokio::time::timeout(Duration::from_secs(10), self.bus.logs()).await;
        let log = log.map_err(|_| unavailable("the identity of the log cannot be read: nothing was done, retry"))?;
        let now = service::clock::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Ok(ReplayLimits {
            log,
            prefix: settings.topic_prefix.clone(),
            now: i64::try_from(now.as_millis()).unwrap_or(i64::MAX),
            claims: Duration::from_secs(u64::from(settings.claims.ttl_days) * 24 * 3600),
        })
    }

    /// Why a letter would not be replayed now, or what would be sent.
    async fn judge(&self, letter: &DeadLetter) -> Result<Result<Aim, ReplayRefusal>, Status> {
        let limits = self.limits().await?;
        let aim = match plan::aim(letter, &limits) {
            Ok(aim) => aim,
            Err(why) => return Ok(Err(why)),
        };
        let original = self.bus.lookup().at(&aim.topic, aim.partition, aim.offset).await;
        let Some(original) = original.map_err(|error| bus_failed(&error))? else {
            return Ok(Err(ReplayRefusal::OriginalGone));
        };
        let record = match aim.way {
            Way::Item => plan::item(letter, &aim.topic, &original, &limits),
            Way::ItemWithin(_) | Way::Whole => plan::whole(&aim.topic, &original, letter.attempts, Vec::new(), &limits),
        };
        Ok(record.map(|_| aim))
    }

    fn letters(&self, request: ReplayRequest) -> Result<(Order, Again), InvalidField> {
        let ReplayRequest { selection, all, dry_run, rate, requested_by, limit } = request;
        let selection = selection.unwrap_or_default();
        let filter = Filter::new(&selection)?;
        if filter.is_everything() != all {
            let problem = if all {
                "is set together with all: set only one of the two"
            } else {
                "has no criterion: give ids, a stage, a source, an endpoint, a reason or from, or set all"
            };
            return Err(InvalidField::new("selection", problem));
        }
        let replay = Replay { selection: Some(selection), all, limit, ..Replay::default() };
        let order = order(replay, dry_run, rate, requested_by)?;
        // What it sends may be refused again, and must not be sent again for ever.
        let filter = filter.before(&order.replay.started_at.unwrap_or_default());
        Ok((order, Again::new(&self.bus, filter, at_most(limit))))
    }

    fn raw(&self, request: ReplayRawRequest, limits: &ReplayLimits) -> Result<(Order, Raw), InvalidField> {
        let ReplayRawRequest { selection, dry_run, rate, requested_by, limit } = request;
        let selection = selection.unwrap_or_default();
        let Stage { sources, groups, reader, view, .. } = &self.stage;
        let known = Known { now: limits.now, claims: limits.claims, sources };
        let is_registered = |name: &str| view.with(|registrations| registrations.endpoint(name).is_some());
        let filter = RawFilter::new(&selection, known, is_registered)?;
        let topics = sources.iter().filter(|source| filter.means(source));
        let topics = topics.flat_map(|source| [common::topics::raw(source), common::topics::raw_bulk(source)]);
        let topics = topics.filter_map(|topic| groups.get_key_value(topic.name()));
        let topics = topics.map(|(topic, group)| (topic.clone(), group.clone())).collect();
        let raw = Raw {
            filter,
            limit: at_most(limit),
            topics,
            view: view.clone(),
            reader: Arc::clone(reader),
            account: RawAccount::default(),
            last: BTreeMap::new(),
        };
        let replay = Replay { raw: Some(selection), limit, ..Replay::default() };
        Ok((order(replay, dry_run, rate, requested_by)?, raw))
    }

    /// Begins a replay, unless another one is under way.
    fn begin<W: Work + 'static>(
        &self,
        limits: ReplayLimits,
        order: Order,
        work: W,
    ) -> Result<Answers<W::Answer>, Status> {
        let alone = Arc::clone(&self.replaying).try_acquire_owned().map_err(|_| {
            Status::resource_exhausted("another replay is running: wait until it ends, or stop it where it was started")
        })?;
        let (answers, stream) = mpsc::channel(AHEAD);
        let tools = Tools {
            bus: self.bus.clone(),
            letters: self.letters.clone(),
            producer: self.producer.clone(),
            store: Arc::clone(&self.store),
            limits,
            ends: self.host.shutdown().clone(),
            _alone: alone,
        };
        let course = Course::new(tools, order, work, answers);
        self.host.tasks().spawn(Box::pin(course.run()).in_current_span());
        let stream = futures_util::stream::unfold(stream, |mut stream| async move {
            let answer = stream.recv().await?;
            Some((answer, stream))
        });
        Ok(Box::pin(stream))
    }
}

/// What a replay answers all the time.
type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

fn at_most(limit: u64) -> u64 {
    if limit == 0 { u64::MAX } else { limit }
}

/// A replay of what was asked for, with who and when.
fn order(replay: Replay, dry_run: bool, rate: u32, requested_by: String) -> Result<Order, InvalidField> {
    if rate > FASTEST {
        return Err(InvalidField::new("rate", format!("is {rate}: use 1 to {FASTEST} a second, or 0 for {RATE}")));
    }
    if !dry_run && requested_by.trim().is_empty() {
        return Err(InvalidField::new(
            "requested_by",
            "is empty: name who requests the replay, the name is kept with it",
        ));
    }
    if requested_by.len() > MAX_NAME {
        return Err(InvalidField::new("requested_by", format!("has more than {MAX_NAME} bytes")));
    }
    let mut replay = Replay { requested_by, started_at: Some(service::clock::timestamp()), ..replay };
    if !dry_run {
        replay.id = replay_id(&replay).to_string();
    }
    Ok(Order { dry_run, rate: NonZeroU32::new(rate).unwrap_or(RATE), replay })
}

/// Of what makes a replay the one it is; two of one name within a nanosecond are one.
fn replay_id(replay: &Replay) -> Id {
    let at = replay.started_at.unwrap_or_default();
    Id::of("replay", "", &[replay.requested_by.as_bytes(), &at.seconds.to_be_bytes(), &at.nanos.to_be_bytes()])
}

#[tonic::async_trait]
impl DeadLetterService for DeadLetters {
    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let ListRequest { selection, page_size, page_token } = request.into_inner();
        let filter = Filter::new(&selection.unwrap_or_default()).map_err(invalid)?;
        let size = page::size(page_size).map_err(invalid)?;
        let before = Cursor::of_token(&page_token).map_err(invalid)?;
        let _turn = self.inner.turn().await?;
        let page = self.inner.page(&filter, size, before.as_ref()).await;
        let (page, read) = page.map_err(|error| bus_failed(&error))?;
        let (found, next_page_token) = page.done();
        Ok(Response::new(ListResponse { found, next_page_token, read }))
    }

    async fn get(&self, request: Request<GetRequest>) -> Result<Response<GetResponse>, Status> {
        let GetRequest { id } = request.into_inner();
        select::check_id("id", &id).map_err(invalid)?;
        let selection = common::deadletter::v1::Selection { ids: vec![id.clone()], ..Default::default() };
        let filter = Filter::new(&selection).map_err(invalid)?;
        let turn = self.inner.turn().await?;
        let mut found: Option<Found> = None;
        let scanned = Scan::each(&self.inner.letters, &filter, |stored, letter| {
            found = Some(scan::found(stored, letter, true));
        });
        scanned.await.map_err(|error| bus_failed(&error))?;
        drop(turn);
        let Some(Found { dead_letter: Some(letter), .. }) = &found else {
            let message = format!("dead letter {id} does not exist: it has expired, or never existed");
            return Err(Status::not_found(message));
        };
        let (not_replayable, replay) = match self.inner.judge(letter).await? {
            Ok(aim) => (String::new(), plan::shown(&aim)),
            Err(why) => (why.code().to_owned(), why.to_string()),
        };
        Ok(Response::new(GetResponse { found, not_replayable, replay }))
    }

    async fn stats(&self, request: Request<StatsRequest>) -> Result<Response<StatsResponse>, Status> {
        let filter = Filter::new(&request.into_inner().selection.unwrap_or_default()).map_err(invalid)?;
        let turn = self.inner.turn().await?;
        let counts = self.inner.counts(&filter).await;
        let (stats, read, progress) = counts.map_err(|error| bus_failed(&error))?;
        drop(turn);
        let replayed = self.inner.store.replayed().await.map_err(|error| store_failed(&error))?;
        let counted = StatsResponse { counted: progress.done, to_count: progress.all, read, ..stats.done(replayed) };
        Ok(Response::new(counted))
    }

    type ReplayStream = Answers<ReplayResponse>;

    async fn replay(&self, request: Request<ReplayRequest>) -> Result<Response<Self::ReplayStream>, Status> {
        let inner = &self.inner;
        let (order, again) = inner.letters(request.into_inner()).map_err(invalid)?;
        Ok(Response::new(inner.begin(inner.limits().await?, order, again)?))
    }

    type ReplayRawStream = Answers<ReplayRawResponse>;

    async fn replay_raw(&self, request: Request<ReplayRawRequest>) -> Result<Response<Self::ReplayRawStream>, Status> {
        let inner = &self.inner;
        if !inner.stage.table.is_read() {
            return Err(unavailable("the registrations have not been read yet: retry"));
        }
        let limits = inner.limits().await?;
        let (order, raw) = inner.raw(request.into_inner(), &limits).map_err(invalid)?;
        Ok(Response::new(inner.begin(limits, order, raw)?))
    }

    type CountRawStream = Answers<CountRawResponse>;

    async fn count_raw(&self, request: Request<CountRawRequest>) -> Result<Response<Self::CountRawStream>, Status> {
        let CountRawRequest { selection } = request.into_inner();
        let dry = ReplayRawRequest { selection, dry_run: true, ..ReplayRawRequest::default() };
        let answers = self.replay_raw(Request::new(dry)).await?.into_inner();
        let counted = answers.map_ok(|ReplayRawResponse { counts, missing, examples, done, .. }| CountRawResponse {
            counts,
            missing,
            examples,
            done,
        });
        Ok(Response::new(Box::pin(counted)))
    }

    async fn list_replays(
        &self,
        request: Request<ListReplaysRequest>,
    ) -> Result<Response<ListReplaysResponse>, Status> {
        let size = page::size(request.into_inner().page_size).map_err(invalid)?;
        let replays = self.inner.store.replays(u32::try_from(size).unwrap_or(u32::MAX)).await;
        Ok(Response::new(ListReplaysResponse { replays: replays.map_err(|error| store_failed(&error))? }))
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn invalid(invalid: InvalidField) -> Status {
    let details = ErrorDetails::with_bad_request_violation(invalid.field, invalid.problem.clone());
    Status::with_error_details(Code::InvalidArgument, invalid.to_string(), details)
}
