//! The same error of several workers, as people read it. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::SystemTime;

use common::health::v1::ErrorGroup;

use super::entry::Series;

/// Groups that are told: the most frequent.
const TOLD: usize = 200;

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Same<'a>(&'a str, &'a str, &'a str, &'a str);

/// By stage, endpoint, kind and text; the most frequent first.
pub(crate) fn groups(series: &[Series]) -> Vec<ErrorGroup> {
    let mut groups: BTreeMap<Same<'_>, Vec<&Series>> = BTreeMap::new();
    for one in series {
        let about = &one.about;
        groups.entry(Same(&about.hop, &about.endpoint, &about.kind, &about.same)).or_default().push(one);
    }
    let mut groups: Vec<ErrorGroup> = groups.into_iter().map(|(same, all)| group(&same, &all)).collect();
    groups.sort_by_key(|group| Reverse(group.count));
    groups.truncate(TOLD);
    groups
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
