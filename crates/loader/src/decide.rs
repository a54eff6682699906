//! What becomes of load requests, decided from the version that the table has for their application and nothing else.
//!
//! An application is one partition of one topic of one log; its version is the offset up to which its rows are in the
//! table. It is written by the same commit as the rows, so whoever reads it knows what is loaded, whatever crashed.

/// A half-open range of offsets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestRange {
    /// The first offset.
    pub from: i64,
    /// The offset after the last.
    pub to: i64,
}

/// A request of one application, as far as the decision goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// What it covers.
    pub range: RequestRange,
    /// Its files cannot be used.
    pub unusable: bool,
    /// An operator accepts that what should come before it is missing.
    pub accepted: bool,
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// All of it is in the table.
    Skip,
    /// All of it goes in.
    Commit,
    /// The rows from this offset on go in; those before are in the table.
    Trim {
        /// The version that the table has.
        below: i64,
    },
    /// It waits: what comes before it is missing.
    Gap {
        /// The version that the table has.
        version: i64,
    },
    /// It waits: its files cannot be used.
    Unusable,
    /// It waits: what is said to be loaded, or to be loaded, lies beyond the partition's end on the log. So the log is
    /// not the one that it was read of, and its offsets say nothing about what is in the table.
    Beyond {
        /// The offset that the log cannot have given.
        at: i64,
    },
}

/// The version of an application that was found [beyond](Decision::Beyond) the end of its partition, as it stands in the
/// table from then on: the log may come to that offset again with other records, and must not be believed then either.
pub fn marked(at: i64) -> i64 {
    -at
}

impl Decision {
    /// Whether the request waits.
    pub fn holds(self) -> bool {
        matches!(self, Decision::Gap { .. } | Decision::Unusable | Decision::Beyond { .. })
    }

    /// Whether rows of the request go into the table, or at least its version.
    pub fn loads(self) -> bool {
        matches!(self, Decision::Commit | Decision::Trim { .. })
    }
}

/// Decides about the requests of one application, all for one commit.
///
/// `version` is what the table has for it; none: nothing was loaded yet, and the first request may begin anywhere.
/// `end` is where its partition ended on the log after the version was read; none: the log does not know the partition.
/// Answers a decision for each request, in the order given, and the version after the commit.
///
/// What lies beyond the end holds all of them, until an operator accepts one: it is loaded whole, what was given before it
/// counts as loaded, and the others follow on it.
pub fn decide(version: Option<i64>, end: Option<i64>, candidates: &[Candidate]) -> (Vec<Decision>, Option<i64>) {
    // By offset and not by arrival: one that came too early goes in as soon as what it waits for is there.
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by_key(|n| (candidates[*n].range.from, candidates[*n].range.to));
    let mut decisions = vec![Decision::Skip; candidates.len()];
    let mut version = version;
    // Without a version, a request that cannot be used says where the rows begin: what begins behind it must wait, or
    // its rows would be taken for loaded.
    let mut begins = None;
    if let Some(at) = beyond(version, end, candidates) {
        let Some(first) = candidates.iter().position(|candidate| candidate.accepted) else {
            return (vec![Decision::Beyond { at }; candidates.len()], version);
        };
        order.retain(|n| *n >= first);
        version = Some(candidates[first].range.from);
    }
    for n in order {
        let Candidate { range, unusable, accepted } = candidates[n];
        if end.is_some_and(|end| range.to > end) && !accepted {
            decisions[n] = Decision::Beyond { at: range.to };
            continue;
        }
        decisions[n] = match version.or(begins) {
            Some(version) if range.to <= version => Decision::Skip,
            _ if unusable => Decision::Unusable,
            Some(version) if range.from > version && !accepted => Decision::Gap { version },
            Some(version) if range.from < version => Decision::Trim { below: version },
            _ => Decision::Commit,
        };
        if decisions[n].loads() {
            version = Some(range.to);
        } else if decisions[n] == Decision::Unusable {
            begins.get_or_insert(range.from);
        }
    }
    (decisions, version)
}

/// The furthest offset that the log cannot have given.
fn beyond(version: Option<i64>, end: Option<i64>, candidates: &[Candidate]) -> Option<i64> {
    if let Some(version) = version.filter(|version| *version < 0) {
        return Some(-version);
    }
    let ends = candidates.iter().filter(|candidate| !candidate.accepted).map(|candidate| candidate.range.to);
    let furthest = version.into_iter().chain(ends).max()?;
    end.filter(|end| furthest > *end).map(|_| furthest)
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
