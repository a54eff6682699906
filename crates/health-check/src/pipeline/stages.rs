//! Which stages there are, and how each is. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use common::health::v1::Hop;

use super::{FIVE_MINUTES, Model, Place};
use crate::flow::Flow;
use crate::stage::{Partition, Stage, hops_of, partition};

const MINUTE: Duration = Duration::from_secs(60);

impl Model {
    /// The stages there are, with the instances that have each.
    pub(super) fn stages<'a>(&'a self, instances: &[&'a Place]) -> Vec<Stage<'a>> {
        let mut stages: BTreeMap<(usize, String), Stage<'a>> = BTreeMap::new();
        for watched in &self.watched {
            let mine: Vec<&Place> =
                instances.iter().copied().filter(|place| place.service == watched.service).collect();
            let named = mine.iter().filter_map(|place| place.digest.as_ref()).flat_map(hops_of);
            let mut hops: BTreeSet<String> = named.collect();
            if hops.is_empty() {
                hops.insert(watched.service.clone());
            }
            for hop in hops {
                let stage = stages.entry((self.place(&hop), hop.clone())).or_insert_with(|| Stage::new(&hop));
                stage.expected += watched.expected;
                for place in &mine {
                    let has_it = place.digest.as_ref().is_none_or(|digest| {
                        let hops = hops_of(digest);
                        hops.contains(&hop) || hops.is_empty()
                    });
                    if !has_it {
                        continue;
                    }
                    match (&place.digest, &place.run) {
                        (Some(digest), Some(run)) if place.answers() => stage.live.push((digest, run)),
                        _ => stage.silent.push((&place.address, &place.error)),
                    }
                }
            }
        }
        for stage in stages.values_mut() {
            let told: BTreeSet<Partition> = stage.queues().map(partition).collect();
            let mut lately = self.partitions.keys().filter(|(hop, ..)| *hop == stage.hop);
            stage.has_lost = lately.any(|partition| !told.contains(partition));
        }
        stages.into_values().collect()
    }

    /// Its place in the order of the data's way.
    pub(super) fn place(&self, hop: &str) -> usize {
        self.order.iter().position(|known| known == hop).unwrap_or(self.order.len())
    }

    /// How a stage is, without its state; and its rates over five minutes.
    pub(super) fn hop(&self, stage: &Stage<'_>, flow: &Flow, now: SystemTime) -> (Hop, Option<[f64; 3]>) {
        // Of all that answer, or it would be too little.
        let sum = |window| {
            let mut rates = stage.live.iter().map(|(_, run)| run.rates(&stage.hop, window, now));
            let first = rates.next()??;
            rates.try_fold(first, |sum, rates| rates.map(|rates| std::array::from_fn(|n| sum[n] + rates[n])))
        };
        let minute = sum(MINUTE);
        let [taken_in, sent_on, _] = minute.unwrap_or_default();
        let ages = stage.live.iter().flat_map(|(digest, _)| &digest.ages).filter(|age| age.hop == stage.hop);
        let hop = Hop {
            service: stage.hop.clone(),
            instances: stage.live.len() as u32,
            expected: stage.expected,
            in_per_second: taken_in,
            out_per_second: sent_on,
            rates_unknown: minute.is_none(),
            total: Some(flow.count(&stage.hop, "", None)),
            lag: stage.queues().map(|queue| queue.lag).sum(),
            lag_unknown: !stage.knows_its_lag(),
            oldest_seconds: stage.oldest_in_work(),
            age_seconds: ages.map(|age| age.p99_seconds).max_by(f64::total_cmp),
            ..Hop::default()
        };
        let ended = self.ended_within(&stage.hop, FIVE_MINUTES, now);
        let add = |rates: [f64; 3]| {
            let more =
                [ended.taken_in, ended.sent_on, ended.dead_lettered].map(|n| n as f64 / FIVE_MINUTES.as_secs_f64());
            std::array::from_fn(|n| rates[n] + more[n])
        };
        (hop, sum(FIVE_MINUTES).map(add))
    }

    /// What a stage did in the window before `now`, with those of it that ended meanwhile; none: one that answers has not
    /// told it.
    pub(super) fn within(&self, stage: &Stage<'_>, window: Duration, now: SystemTime) -> Option<Flow> {
        let mut sum = stage.within(window, now)?;
        sum.add(&self.ended_within(&stage.hop, window, now));
        Some(sum)
    }

    /// What those did in the window who told something in it, and ended.
    fn ended_within(&self, hop: &str, window: Duration, now: SystemTime) -> Flow {
        let mut sum = Flow::default();
        self.ended.iter().filter_map(|run| run.ended_within(hop, window, now)).for_each(|flow| sum.add(&flow));
        sum
    }
}
