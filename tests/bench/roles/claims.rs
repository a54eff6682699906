//! Claims alone: those that processing makes for the same deliveries, in batches of the same size.

use std::time::Instant;

use bus::{Bus, Claim, Coordinates, Settings, Verdict};
use common::identity::Id;
use processing::STAGE;
use processing::parse::Item;
use serde::{Deserialize, Serialize};

use crate::figures::Done;
use crate::role;
use crate::roles::inputs::{From, Inputs};

pub(crate) const NAME: &str = "claims";

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Store {
    pub(crate) from: From,
    /// Names the store.
    pub(crate) settings: Settings,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Command {
    /// Read what is new into memory, and parse it.
    Load,
    /// Claim the events of what is in memory.
    Claim,
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Loaded { records: u64 },
    Claimed { done: Done, events: u64, duplicates: u64, outputs: u64 },
}

struct Event {
    ce_type: String,
    id: Id,
    at: Coordinates,
    index: u32,
    /// Records that come of it, if it is the first.
    outputs: u64,
}

pub(crate) fn run(store: &Store) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut inputs = Inputs::new(&store.from);
    let bus = Bus::open(&store.settings)?;
    let claims = runtime.block_on(async {
        let claims = bus.claims().await?;
        // Nothing came out before: the store is whole.
        claims.restored().await?;
        anyhow::Ok(claims)
    })?;
    let batch = store.settings.consumer.batch_records;
    let mut records = 0;
    let mut batches: Vec<Vec<Event>> = Vec::new();
    role::serve(|command| match command {
        Command::Load => {
            let loaded = inputs.load()?;
            records = loaded.len() as u64;
            batches = loaded
                .chunks(batch)
                .map(|records| {
                    let outcomes = records.iter().map(|input| (inputs.parse(input), input.at()));
                    outcomes
                        .flat_map(|(outcome, at)| outcome.items.into_iter().filter_map(|item| event(item, at)))
                        .collect()
                })
                .collect();
            Ok(Answer::Loaded { records })
        }
        Command::Claim => {
            let began = Instant::now();
            let (mut events, mut duplicates, mut outputs) = (0, 0, 0);
            for batch in &batches {
                let wanted: Vec<_> = batch.iter().map(claim).collect();
                let verdicts = runtime.block_on(claims.claim(STAGE, &wanted))?;
                for (event, verdict) in batch.iter().zip(verdicts) {
                    events += 1;
                    match verdict {
                        Verdict::Duplicate => duplicates += 1,
                        Verdict::First | Verdict::Again => outputs += event.outputs,
                    }
                }
            }
            let done = Done { records, elapsed: began.elapsed(), latency: None };
            Ok(Answer::Claimed { done, events, duplicates, outputs })
        }
    })
}

fn event(item: Item, at: &Coordinates) -> Option<Event> {
    match item {
        Item::Event(event) => Some(Event {
            ce_type: event.ce_type().to_owned(),
            id: event.id,
            at: at.clone(),
            index: event.index,
            outputs: event.records.len() as u64,
        }),
        Item::Refused(_) => None,
    }
}

fn claim(event: &Event) -> Claim<'_> {
    Claim { ce_type: &event.ce_type, id: event.id, at: &event.at, index: event.index }
}
