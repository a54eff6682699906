//! One commit: what waits is looked at, decided, written and acknowledged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Ack, Bus};
use futures_util::{StreamExt as _, stream};
use object_store::ObjectStore;
use object_store::path::Path;
use service::{Taken, What};
use tracing::Span;

use crate::decide::{Candidate, Decision, decide};
use crate::ends::{Beyond, Ends};
use crate::files::{FileCheck, look};
use crate::footer::Footer;
use crate::maintain::log;
use crate::request::Request;
use crate::schema;
use crate::table::{Commit, Error, Outcome, Table};

mod merge;
mod plan;

use plan::{Bad, Part, Planned};

/// Others may commit as well: after so many in a row it is somebody else's turn.
const ATTEMPTS: usize = 20;
/// Before a store that failed is asked again what it has.
const AGAIN: Duration = Duration::from_millis(500);

/// A request that waits to be loaded.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) request: Request,
    pub(crate) check: FileCheck,
    /// Why it waits on, as of the last decision.
    pub(crate) held: Option<Decision>,
    pub(crate) since: Instant,
    pub(crate) accepted: bool,
    /// Topic with prefix, partition and turn of the record.
    pub(crate) place: (Arc<str>, i32, u64),
    pub(crate) offset: i64,
    pub(crate) ack: Ack,
    pub(crate) taken: Taken,
    pub(crate) span: Span,
}

/// A table and what waits for it.
#[derive(Debug)]
pub(crate) struct Loading {
    pub(crate) table: Table,
    pub(crate) queue: Vec<Waiting>,
    /// Where the rows of each application begin, of all that waits and not only of what this round looks at: while the
    /// table has no version of it, nothing that begins later may go in, or the earlier rows would be taken for loaded.
    pub(crate) begins: BTreeMap<Arc<str>, i64>,
    pub(crate) ends: Ends,
    /// What lies beyond the ends of its partitions.
    pub(crate) beyond: Beyond,
    /// Whether small files may be merged before they go in. After an operator accepted a request, what follows it may be
    /// in the table already: to add a file under its own path once more changes nothing, to add its rows in another does.
    merges: bool,
    /// The version at which a checkpoint was last tried.
    pub(crate) checkpoint_tried: Option<u64>,
}

/// How a round ended.
#[derive(Debug, Default)]
pub(crate) struct Round {
    /// The table's version that it committed.
    pub(crate) version: Option<u64>,
    /// Requests that it loaded.
    pub(crate) requests: usize,
    /// Rows that it loaded.
    pub(crate) rows: u64,
    /// When the door had the oldest and the youngest of them, microseconds since 1970.
    pub(crate) received: Option<(i64, i64)>,
}

impl Loading {
    pub(crate) fn of(table: Table, bus: &Bus, merges: bool) -> Self {
        let (queue, begins, beyond) = (Vec::new(), BTreeMap::new(), Beyond::new());
        Self { table, queue, begins, ends: Ends::of(bus), beyond, merges, checkpoint_tried: None }
    }

    /// Commits what can be committed, and acknowledges it.
    ///
    /// # Errors
    /// When the table or the store cannot be read: nothing is lost, and the next round begins anew.
    pub(crate) async fn round(&mut self, store: &Arc<dyn ObjectStore>, limit: Duration) -> Result<Round, Error> {
        for waiting in &mut self.queue {
            // Once in each round: a file may be back.
            if matches!(waiting.check, FileCheck::Unusable(_)) {
                waiting.check = FileCheck::Pending;
            }
        }
        self.table.refresh().await?;
        self.ends.forget();
        for _ in 0..ATTEMPTS {
            let decisions = self.decide(store).await?;
            if self.mark(&decisions, limit).await? {
                continue;
            }
            if self.table.version().is_none()
                && let Some(parts) = self.nothing_yet(&decisions)
            {
                return Ok(self.settle(decisions, &parts, Round::default()));
            }
            let plan = match self.plan(&decisions, store).await? {
                Planned::Ready(plan) => plan,
                Planned::Nothing => return Ok(self.settle(decisions, &[], Round::default())),
                Planned::Bad(bad) => {
                    self.exclude(bad);
                    // Another loader may have loaded it meanwhile, and removed what it replaced.
                    self.table.refresh().await?;
                    continue;
                }
            };
            let (version, outcome) = match self.table.commit(&plan.commit, limit).await {
                Ok(attempt) => attempt,
                Err(error) => {
                    // It was not even tried.
                    self.remove(store, plan.made).await;
                    return Err(error);
                }
            };
            let committed = match &outcome {
                Outcome::Committed => true,
                Outcome::Taken => self.confirm(version, &plan.commit).await?,
                Outcome::Unknown(reason) => {
                    tracing::warn!(
                        table = self.table.name,
                        version,
                        reason,
                        "the outcome of a commit is unknown, reading the table to find out"
                    );
                    self.confirm(version, &plan.commit).await?
                }
            };
            if committed {
                if let Err(error) = self.table.refresh().await {
                    tracing::debug!(%error, "reading the table after a commit failed, retrying in the next round");
                }
                self.remove(store, plan.unneeded).await;
                self.remove_unless_used(store, &plan.replaced).await;
                let rows = plan.parts.iter().map(|part| part.rows).sum();
                let round = Round { version: Some(version), requests: plan.parts.len(), rows, received: plan.received };
                return Ok(self.settle(decisions, &plan.parts, round));
            }
            tracing::info!(table = self.table.name, version, "the commit is not in the table, retrying");
            if matches!(outcome, Outcome::Taken) {
                // Whereas a commit of which nobody knows may yet come to be, and needs its files.
                self.remove(store, plan.made).await;
            }
            self.table.refresh().await?;
        }
        Ok(Round::default())
    }

    /// Writes a checkpoint where one is due: others commit as well, so that no version may be counted on. False: none was.
    pub(crate) async fn checkpoint(&mut self, (every, keep): (u64, u64)) -> Result<bool, Error> {
        let Some(version) = self.table.version() else { return Ok(false) };
        // One that failed is not tried again with each commit.
        let tried = self.checkpoint_tried.is_some_and(|tried| version.saturating_sub(tried) < every);
        let is_due = !tried && log::due(version, self.table.checkpointed(), every, keep);
        if is_due {
            self.checkpoint_tried = Some(version);
            log::checkpoint(&self.table, keep).await?;
        }
        Ok(is_due)
    }

    /// Whether a commit is in the table. Waits for a store that does not answer: nothing can be decided without it.
    async fn confirm(&self, version: u64, commit: &Commit) -> Result<bool, Error> {
        let mut left = 20;
        loop {
            match self.table.is_ours(version, commit).await {
                Err(error) if left > 0 => tracing::debug!(%error, version, "reading the commit failed, retrying"),
                answer => return answer,
            }
            left -= 1;
            tokio::time::sleep(AGAIN).await;
        }
    }

    /// Decides on the state of the table that was read last, and looks at the files of what it would load.
    async fn decide(&mut self, store: &Arc<dyn ObjectStore>) -> Result<Vec<Decision>, Error> {
        loop {
            let decisions = self.decide_now().await?;
            let unlooked: Vec<usize> = decisions
                .iter()
                .enumerate()
                .filter(|(n, decision)| decision.loads() && matches!(self.queue[*n].check, FileCheck::Pending))
                .map(|(n, _)| n)
                .collect();
            let mut bad = false;
            for n in &unlooked {
                let Waiting { request, accepted, .. } = &self.queue[*n];
                let check = look(store, &self.table, request, *accepted).await?;
                bad |= matches!(check, FileCheck::Unusable(_));
                self.queue[*n].check = check;
            }
            bad |= self.misfits(&decisions)?;
            if bad {
                // Another loader may have loaded it meanwhile, and removed what it replaced.
                self.table.refresh().await?;
            } else if unlooked.is_empty() {
                return Ok(decisions);
            }
        }
    }

    async fn decide_now(&mut self) -> Result<Vec<Decision>, Error> {
        let mut applications: BTreeMap<Arc<str>, Vec<usize>> = BTreeMap::new();
        for (n, waiting) in self.queue.iter().enumerate() {
            applications.entry(Arc::clone(&waiting.request.application)).or_default().push(n);
        }
        let mut decisions = vec![Decision::Skip; self.queue.len()];
        for (application, waiting) in applications {
            let version = self.table.application(&application).await?;
            // After the version: it cannot have passed the end.
            let end = self.end(version, &waiting).await?;
            let version = version.or_else(|| self.begins.get(&application).copied());
            let candidates: Vec<Candidate> = waiting
                .iter()
                .map(|n| &self.queue[*n])
                .map(|waiting| Candidate {
                    range: waiting.request.range,
                    unusable: matches!(waiting.check, FileCheck::Unusable(_)),
                    accepted: waiting.accepted,
                })
                .collect();
            self.beyond.remove(&application);
            for (n, decision) in waiting.into_iter().zip(decide(version, end, &candidates).0) {
                decisions[n] = decision;
                if let Decision::Beyond { at } = decision {
                    self.beyond.insert(Arc::clone(&application), at);
                }
            }
        }
        Ok(decisions)
    }

    /// Where the partition of these requests ends.
    async fn end(&mut self, version: Option<i64>, waiting: &[usize]) -> Result<Option<i64>, Error> {
        let requests = || waiting.iter().filter_map(|n| self.queue.get(*n)).map(|waiting| &waiting.request);
        let furthest = requests().map(|request| request.range.to).chain(version).max();
        let (Some(origin), Some(furthest)) = (requests().next().map(|request| request.origin.clone()), furthest) else {
            return Ok(None);
        };
        let end = self.ends.end(&origin, furthest).await;
        end.map_err(|error| Error::Log { table: self.table.name.clone(), error })
    }

    /// Marks versions in the table that were found to lie beyond the end of their partition. True: it was read again, and
    /// everything is to be decided anew.
    async fn mark(&mut self, decisions: &[Decision], limit: Duration) -> Result<bool, Error> {
        if self.table.version().is_none() {
            return Ok(false);
        }
        let mut unmarked = Beyond::new();
        for (n, decision) in decisions.iter().enumerate() {
            let Decision::Beyond { at } = decision else { continue };
            let application = Arc::clone(&self.queue[n].request.application);
            if self.table.application(&application).await?.is_none_or(|version| version >= 0) {
                unmarked.insert(application, *at);
            }
        }
        if unmarked.is_empty() {
            return Ok(false);
        }
        tracing::error!(
            table = self.table.name,
            ?unmarked,
            "offsets lie beyond the end of their partition: the log was restored or truncated, the lake was not"
        );
        self.table.mark(&unmarked, limit).await.map(|_| true)
    }

    /// Finds the requests whose columns do not go together with the table's; whether there are new ones.
    fn misfits(&mut self, decisions: &[Decision]) -> Result<bool, Error> {
        let mut columns = match self.table.version() {
            Some(_) => Some(self.table.snapshot()?.schema().as_ref().clone()),
            None => None,
        };
        let mut partitions = match self.table.version() {
            Some(_) => Some(self.table.partition_columns()?),
            None => None,
        };
        let mut found = false;
        for (waiting, _) in self.queue.iter_mut().zip(decisions).filter(|(_, decision)| decision.loads()) {
            let FileCheck::Usable(files) = &mut waiting.check else { continue };
            if files.is_empty() {
                continue;
            }
            let wanted = &waiting.request.partition_columns;
            let before = columns.clone();
            let mut problem = None;
            if partitions.get_or_insert_with(|| wanted.clone()) != wanted {
                problem = Some(format!("the table is partitioned by {partitions:?}, and the request by {wanted:?}"));
            }
            let mut fits = |footer: &Footer| {
                let grown = match &columns {
                    None => schema::first(wanted, [&*footer.schema]).map(Some),
                    Some(columns) => schema::grown(columns, wanted, [&*footer.schema]),
                };
                grown.map(|grown| columns = grown.or(columns.take()))
            };
            files.retain(|(n, footer)| {
                let Err(misfit) = fits(footer) else { return true };
                problem.get_or_insert_with(|| format!("file {}: {misfit}", waiting.request.files[*n].path));
                // Left out of an accepted request; else the request waits as a whole.
                !waiting.accepted
            });
            if let Some(problem) = problem.filter(|_| !waiting.accepted) {
                waiting.check = FileCheck::Unusable(problem);
                // What it would have added counts for nobody.
                columns = before;
                found = true;
            }
        }
        Ok(found)
    }

    /// The requests, where none of them has a row for a table that is yet to be made. A table without columns could be
    /// read by nobody; and where there is no version, whatever comes next may begin where it likes.
    fn nothing_yet(&self, decisions: &[Decision]) -> Option<Vec<Part>> {
        let loads = self.queue.iter().zip(decisions).enumerate().filter(|(_, (_, decision))| decision.loads());
        let empty = loads.map(|(n, (waiting, _))| match &waiting.check {
            FileCheck::Usable(files) if files.is_empty() => Some(Part { n, rows: 0, already: 0 }),
            _ => None,
        });
        empty.collect()
    }

    /// Its request waits, or goes in without it if that is accepted.
    fn exclude(&mut self, bad: Bad) {
        let waiting = &mut self.queue[bad.n];
        match &mut waiting.check {
            FileCheck::Usable(files) if waiting.accepted => {
                tracing::warn!(
                    request = waiting.request.id,
                    error = bad.problem,
                    "unusable file skipped: loader.accept has its request"
                );
                files.retain(|(number, _)| *number != bad.number);
            }
            check => *check = FileCheck::Unusable(bad.problem),
        }
    }

    /// Counts and acknowledges what is loaded, and leaves what waits.
    fn settle(&mut self, decisions: Vec<Decision>, parts: &[Part], round: Round) -> Round {
        let mut parts = parts.iter().peekable();
        let queue = std::mem::take(&mut self.queue);
        for (n, (mut waiting, decision)) in queue.into_iter().zip(decisions).enumerate() {
            let part = parts.next_if(|part| part.n == n);
            let rows = waiting.request.rows();
            let (loaded, already) = match (part, decision) {
                (Some(part), _) => (part.rows, part.already),
                (None, Decision::Skip) => (0, rows),
                (None, decision) => {
                    waiting.held = decision.holds().then_some(decision);
                    self.queue.push(waiting);
                    continue;
                }
            };
            waiting.taken.end(What::SentOn, loaded);
            waiting.taken.end(What::Dropped("already_loaded"), already);
            waiting.taken.end(What::Dropped("accepted_loss"), rows - loaded - already);
            waiting.span.record("version", round.version);
            waiting.ack.complete();
        }
        round
    }

    /// Removes files that nothing needs any more. What is left here is for the vacuum.
    async fn remove(&self, store: &Arc<dyn ObjectStore>, paths: Vec<Path>) {
        let mut removing = store.delete_stream(stream::iter(paths.into_iter().map(Ok)).boxed());
        while let Some(removed) = removing.next().await {
            if let Err(error) = removed {
                tracing::debug!(%error, "deleting an unneeded file failed, it is left to the vacuum");
            }
        }
    }

    /// Removes files that may be part of the table: a request can name one that another has loaded.
    async fn remove_unless_used(&self, store: &Arc<dyn ObjectStore>, paths: &[Path]) {
        if paths.is_empty() {
            return;
        }
        let Ok(files) = self.table.files().await else { return };
        let used: BTreeSet<Path> = files.iter().map(|file| self.table.path_of(&file.path)).collect();
        self.remove(store, paths.iter().filter(|path| !used.contains(path)).cloned().collect()).await;
    }
}
