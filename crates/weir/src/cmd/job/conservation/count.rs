//! Holds the steps behind each other, by id.

use bus::{Claim, Coordinates, Start, Stored, Verdict};
use common::activity::v1::{Activity, EnrichedActivity};
use common::deadletter::v1::DeadLetter;
use common::identity::Id;
use common::time::{from_millis, to_millis};
use common::topics::{ACTIVITIES, ACTIVITIES_ENRICHED, DEAD_LETTERS};
use enricher::files::rows::received_at;
use loader::Ids;

use super::Hop;
use crate::cmd::scratch::Scratch;
use crate::records::{Reading, Records};
use crate::settings::Settings;

/// So many ids are looked up at once.
const AT_ONCE: usize = 1000;
/// So many examples.
const SOME: usize = 5;
/// What a door's clock may be before or behind that of the log, in milliseconds.
const CLOCKS: i64 = 60_000;

/// What is put down in the scratch folder, each as claims of a stage of its own.
const ROWS: &str = "rows";
const ENRICHED: &str = "enriched";
const TAKEN: &str = "taken";
const REFUSED: &str = "refused";
/// Claims are by type; here all are of one.
const SEEN: &str = "seen";

/// One count.
pub(super) struct Counting<'a> {
    settings: &'a Settings,
    records: &'a Records,
    time: (i64, i64),
    topics: Vec<String>,
    scratch: Scratch,
    /// Where an id was seen does not matter here, only whether.
    anywhere: Coordinates,
}

/// What is followed through a step.
struct Followed {
    id: String,
    /// Where its record is, which a dead letter names.
    at: Coordinates,
}

impl<'a> Counting<'a> {
    pub(super) async fn open(settings: &'a Settings, records: &'a Records, time: (i64, i64)) -> anyhow::Result<Self> {
        let anywhere = Coordinates { log: "scratch".into(), topic: "scratch".into(), partition: 0, offset: 0 };
        let (topics, scratch) = (records.topics().await?, Scratch::open(&settings.bus).await?);
        Ok(Self { settings, records, time, topics, scratch, anywhere })
    }

    /// The enrichment, and the lake.
    pub(super) async fn run(&self) -> anyhow::Result<(Hop, Hop)> {
        let (mut enrichment, mut lake) = (Hop::default(), Hop::default());
        lake.repeated = self.rows().await?;
        self.refused().await?;
        let enriched = |stored: &Stored| {
            let decoded = stored.decode::<EnrichedActivity>().ok()?.activity?;
            self.meant(&decoded, stored)
        };
        self.follow(ACTIVITIES_ENRICHED.name(), enriched, ENRICHED, ROWS, &mut lake).await?;
        let activity = |stored: &Stored| self.meant(&stored.decode::<Activity>().ok()?, stored);
        self.follow(ACTIVITIES.name(), activity, TAKEN, ENRICHED, &mut enrichment).await?;
        Ok((enrichment, lake))
    }

    /// Whether an activity was accepted in the time, and its id.
    fn meant(&self, activity: &Activity, stored: &Stored) -> Option<Followed> {
        if stored.canary().is_some() {
            return None;
        }
        let at = received_at(activity).map_or(stored.produced_at_ms, to_millis);
        let meant = (self.time.0..self.time.1).contains(&at);
        meant.then(|| Followed { id: activity.id.clone(), at: stored.coordinates.clone() })
    }

    /// Puts down the rows of the lake; how many are there more than once.
    async fn rows(&self) -> anyhow::Result<u64> {
        let tables = loader::maintain::tables(&self.settings.lake).await?;
        let table = lake::columns::ACTIVITIES;
        if !tables.iter().any(|name| name == table) {
            return Ok(0);
        }
        let received = (self.time.0.saturating_mul(1000), self.time.1.saturating_mul(1000));
        let mut ids = Ids::of(&self.settings.lake, table, received).await?;
        let mut repeated = 0;
        while let Some(some) = ids.next().await? {
            for some in some.chunks(AT_ONCE) {
                let are_new = self.put(ROWS, some.iter().map(|id| key(id)).collect()).await?;
                repeated += are_new.iter().filter(|is_new| !**is_new).count() as u64;
            }
        }
        Ok(repeated)
    }

    /// Puts down the records that the enricher refused.
    async fn refused(&self) -> anyhow::Result<()> {
        let Some(mut reading) = self.read(DEAD_LETTERS.name()).await? else { return Ok(()) };
        let mut places = Vec::new();
        loop {
            let stored = reading.next_until_end().await?;
            let at_end = stored.is_none();
            if let Some(letter) = stored.and_then(|stored| stored.decode::<DeadLetter>().ok())
                && letter.stage == enricher::STAGE
                && let Some(at) = letter.coordinates
            {
                places.push(place(&at.topic, at.partition, at.offset));
            }
            if places.len() >= AT_ONCE || at_end {
                self.put(REFUSED, std::mem::take(&mut places)).await?;
            }
            if at_end {
                return Ok(());
            }
        }
    }

    /// Puts the records of a topic down as `here`, and holds them against what was put down of the step `behind` it.
    async fn follow(
        &self,
        topic: &str,
        meant: impl Fn(&Stored) -> Option<Followed>,
        here: &str,
        behind: &str,
        hop: &mut Hop,
    ) -> anyhow::Result<()> {
        let Some(mut reading) = self.read(topic).await? else { return Ok(()) };
        let mut some = Vec::new();
        loop {
            let stored = reading.next_until_end().await?;
            let at_end = stored.is_none();
            some.extend(stored.as_ref().and_then(&meant));
            if some.len() >= AT_ONCE || at_end {
                self.step(std::mem::take(&mut some), here, behind, hop).await?;
            }
            if at_end {
                return Ok(());
            }
        }
    }

    async fn step(&self, some: Vec<Followed>, here: &str, behind: &str, hop: &mut Hop) -> anyhow::Result<()> {
        // A record that came again after a crash is the same activity.
        let taken = self.put(here, some.iter().map(|one| key(&one.id)).collect()).await?;
        let some: Vec<_> = some.into_iter().zip(taken).filter(|(_, is_new)| *is_new).map(|(one, _)| one).collect();
        let keys = some.iter().map(|one| key(&one.id)).collect();
        let places = some.iter().map(|one| place(&one.at.topic, one.at.partition, one.at.offset)).collect();
        let (there, refused) = (self.has(behind, keys).await?, self.has(REFUSED, places).await?);
        hop.taken += some.len() as u64;
        for ((one, there), refused) in some.into_iter().zip(there).zip(refused) {
            match (there, refused) {
                (true, _) => hop.there += 1,
                (false, true) => hop.refused += 1,
                (false, false) => {
                    hop.missing += 1;
                    if hop.examples.len() < SOME {
                        hop.examples.push(one.id);
                    }
                }
            }
        }
        Ok(())
    }

    async fn read(&self, topic: &str) -> anyhow::Result<Option<Reading>> {
        if !self.topics.iter().any(|name| name == topic) {
            return Ok(None);
        }
        let start = Start::AtTime(from_millis(self.time.0.saturating_sub(CLOCKS)));
        Ok(Some(self.records.read(&[topic.to_owned()], start, false).await?))
    }

    /// Puts keys down; which were not there.
    async fn put(&self, stage: &str, keys: Vec<Id>) -> anyhow::Result<Vec<bool>> {
        let claims: Vec<_> =
            keys.iter().map(|id| Claim { ce_type: SEEN, id: *id, at: &self.anywhere, index: 0 }).collect();
        let seen = self.scratch.claims.claim(stage, &claims).await?;
        Ok(seen.iter().map(|verdict| *verdict == Verdict::First).collect())
    }

    async fn has(&self, stage: &str, keys: Vec<Id>) -> anyhow::Result<Vec<bool>> {
        let keys: Vec<_> = keys.into_iter().map(|id| (SEEN, id)).collect();
        Ok(self.scratch.claims.are_claimed(stage, &keys).await?)
    }
}

fn key(id: &str) -> Id {
    Id::of("conservation", "", &[id.as_bytes()])
}

fn place(topic: &str, partition: i32, offset: i64) -> Id {
    Id::of("conservation", "", &[topic.as_bytes(), &partition.to_be_bytes(), &offset.to_be_bytes()])
}
