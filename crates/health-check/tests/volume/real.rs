//! Half a day of edits of Wikipedias, by language: real noise. It has no weeks, so weeks are made of its hours.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;

use flate2::read::GzDecoder;

use crate::backtest::Recording;
use crate::made::rhythm;

/// The loudest languages.
const LANGUAGES: usize = 12;

/// By language, of each whole hour: how many came in each of its five minutes.
pub(crate) type Hours = Vec<(String, Vec<[u32; 12]>)>;

#[allow(clippy::print_stdout, reason = "a test that is skipped says so")]
pub(crate) fn hours() -> Option<Hours> {
    let Ok(folder) = std::env::var("WEIR_TEST_DATA") else {
        println!("skipped: WEIR_TEST_DATA is not set");
        return None;
    };
    // A relative path begins at the folder of the workspace.
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..");
    let path = workspace.join(folder).join("wikimedia_edits/wikiticker-2015-09-12.am.jsonl.gz");
    let mut languages: BTreeMap<String, Vec<[u32; 12]>> = BTreeMap::new();
    for line in BufReader::new(GzDecoder::new(File::open(path).unwrap())).lines() {
        let edit: serde_json::Value = serde_json::from_str(&line.unwrap()).unwrap();
        // 2015-09-12T00:49:12.942Z
        let time = edit["time"].as_str().unwrap();
        let (hour, minute): (usize, usize) = (time[11..13].parse().unwrap(), time[14..16].parse().unwrap());
        let channel = edit["channel"].as_str().unwrap().trim_start_matches('#').to_owned();
        languages.entry(channel).or_insert_with(|| vec![[0; 12]; 12])[hour][minute / 5] += 1;
    }
    let sum = |hours: &[[u32; 12]]| hours.iter().flatten().sum::<u32>();
    let mut languages: Hours = languages.into_iter().collect();
    languages.sort_by_key(|(name, hours)| (std::cmp::Reverse(sum(hours)), name.clone()));
    languages.truncate(LANGUAGES);
    // The first hour is not whole.
    languages.iter_mut().for_each(|(_, hours)| {
        hours.remove(0);
    });
    Some(languages)
}

pub(crate) fn as_it_is(hours: &Hours) -> Recording {
    let series = hours.iter().map(|(name, hours)| (name.clone(), hours.iter().flatten().copied().collect()));
    Recording { series: series.collect() }
}

/// Each hour of the weeks is one of the real hours, drawn by chance and the same for all languages. Then the rhythm takes its
/// part: each edit stays or goes by chance.
pub(crate) fn weeks(hours: &Hours, weeks: usize, seed: u64) -> Recording {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut series: Vec<(String, Vec<u32>)> = hours.iter().map(|(name, _)| (name.clone(), Vec::new())).collect();
    for hour in 0..weeks * 7 * 24 {
        let drawn = random.usize(..hours[0].1.len());
        for ((_, made), (_, real)) in series.iter_mut().zip(hours) {
            let stays = |count: &u32| (0..*count).filter(|_| random.f64() < rhythm(hour)).count() as u32;
            made.extend(real[drawn].iter().map(stays));
        }
    }
    Recording { series }
}
