//! The same error of several workers, as people read it. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::SystemTime;

use common::health::v1::ErrorGroup;

use super::entry::Series;
use super::rate::DEAD_LETTER;

/// Groups of a stage that are told: the most frequent. Dead letters, of which each endpoint may have some, come last.
const TOLD: usize = 100;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Same<'a>(&'a str, &'a str, &'a str, &'a str);

/// By stage, endpoint, kind and text; the most frequent first. And how many errors are of groups that are too many.
pub(crate) fn groups(series: &[Series]) -> (Vec<ErrorGroup>, u64) {
    let mut groups: BTreeMap<Same<'_>, Vec<&Series>> = BTreeMap::new();
    for one in series {
        let about = &one.about;
        groups.entry(Same(&about.hop, &about.endpoint, &about.kind, &about.same)).or_default().push(one);
    }
    let mut groups: Vec<ErrorGroup> = groups.into_iter().map(|(same, all)| group(&same, &all)).collect();
    groups.sort_by_key(|group| (group.kind == DEAD_LETTER, Reverse(group.count)));
    let (mut of_stage, mut left_out) = (BTreeMap::<String, usize>::new(), 0);
    groups.retain(|group| {
        let n = of_stage.entry(group.hop.clone()).or_default();
        *n += 1;
        left_out += if *n > TOLD { group.count } else { 0 };
        *n <= TOLD
    });
    groups.sort_by_key(|group| Reverse(group.count));
    (groups, left_out)
}

fn group(&Same(hop, endpoint, kind, _): &Same<'_>, all: &[&Series]) -> ErrorGroup {
    let last = all.iter().max_by_key(|one| one.last_at);
    let first_at: Option<SystemTime> = all.iter().map(|one| one.first_at).min();
    ErrorGroup {
        hop: hop.to_owned(),
        endpoint: endpoint.to_owned(),
        kind: kind.to_owned(),
        text: last.map(|last| last.text.clone()).unwrap_or_default(),
        count: all.iter().map(|one| one.count).sum(),
        first_at: first_at.map(Into::into),
        last_at: last.map(|last| last.last_at.into()),
        instances: all.iter().map(|one| one.about.instance.clone()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::errors::entry::About;

    fn series(hop: &str, endpoint: &str, kind: &str, count: u64) -> Series {
        let [instance, hop, endpoint, kind, same] = ["a", hop, endpoint, kind, "no"].map(str::to_owned);
        let about = About { instance, hop, endpoint, kind, same };
        let at = SystemTime::UNIX_EPOCH;
        Series { about, text: "no".to_owned(), count, first_at: at, last_at: at }
    }

    #[test]
    fn dead_letters_of_many_endpoints_hide_no_error() {
        let mut all = vec![series("loader", "", "logged", 7), series("enricher", "", "panic", 1)];
        all.extend((0..250).map(|n| series("enricher", &format!("e{n}"), DEAD_LETTER, 1000 + n)));
        let (groups, left_out) = groups(&all);
        assert_eq!(groups.iter().filter(|group| group.hop == "enricher").count(), TOLD);
        assert_eq!(groups[0].endpoint, "e249");
        assert!(["panic", "logged"].iter().all(|kind| groups.iter().any(|group| group.kind == *kind)));
        let told: u64 = groups.iter().map(|group| group.count).sum();
        assert_eq!(told + left_out, all.iter().map(|one| one.count).sum::<u64>());
    }
}
