//! Takes in what the door tells, again and again, and says what is unusual. Pure: no clock.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use common::health::v1::VolumeSummary;

use super::asked::Asked;
use super::candidates::Candidates;
use super::history::{ALL, HOUR, History, OTHERS, WEEK};
use super::mine::{Judgement, Rules, Usual, Why};

/// Seconds without a look after which the hour was not watched.
const GAP: i64 = 600;
/// Seconds for which something may be wrong at the door, and the hour is still like others: a roll-out.
const WRONG: i64 = 180;
/// Nobody is silent so soon: whoever hands deliveries on may be restarted.
const QUICK: i64 = 300;

/// Something unusual.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// Of which endpoint; [`ALL`]: of all together.
    pub endpoint: String,
    /// What it is.
    pub kind: FindingKind,
    /// Since when, in seconds since 1970.
    pub since: i64,
}

/// What is unusual.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FindingKind {
    /// Nothing comes, although at least so many should have come.
    Silent {
        /// Since the last one.
        expected: f64,
    },
    /// Less than usual came in the last hour.
    Low {
        /// So many came.
        count: u32,
        /// And so many usually.
        usual: Usual,
    },
    /// More than usual came in the last hour.
    High {
        /// So many came.
        count: u32,
        /// And so many usually.
        usual: Usual,
    },
}

/// How many endpoints had what kind of last hour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// As usual.
    pub ok: usize,
    /// Too quiet for an hour to prove anything; total silence is still found.
    pub quiet: usize,
    /// Not known for long enough, not watched, or not listed one by one.
    pub not_known: usize,
    /// So often low or high that it says nothing.
    pub irregular: usize,
    /// Low or high.
    pub unusual: usize,
}

impl Summary {
    /// As gRPC tells it.
    pub(crate) fn told(self) -> VolumeSummary {
        let [ok, quiet, not_known, irregular, unusual] =
            [self.ok, self.quiet, self.not_known, self.irregular, self.unusual]
                .map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        VolumeSummary { ok, quiet, not_known, irregular, unusual }
    }
}

/// Watches the volume of all endpoints.
#[derive(Debug, Clone)]
pub struct Watch {
    rules: Rules,
    /// So many endpoints are watched one by one.
    most: usize,
    /// Those of which nothing is said.
    ignore: Vec<String>,
    history: History,
    candidates: Candidates,
    /// When it last looked.
    looked: Option<i64>,
    /// Since when the clock has gone on by itself, as far as looks can tell.
    steady: i64,
    /// The hour in which the history last forgot what is old.
    forgot: Option<i64>,
    /// Since when nothing has been wrong, and nobody has looked away.
    clean: i64,
    /// Since when something has been wrong.
    wrong: Option<i64>,
    /// When the last one was seen to come in.
    seen: HashMap<String, i64>,
    /// The hour in which the one before was judged, and what was unusual.
    judged: Option<i64>,
    unusual: Vec<Finding>,
    findings: Vec<Finding>,
    summary: Summary,
    /// What the platforms say of those that are silent.
    pub(crate) asked: Asked,
}

impl Watch {
    /// Continues with a history.
    #[must_use]
    pub fn new(rules: Rules, most: usize, ignore: Vec<String>, history: History) -> Self {
        Self {
            rules,
            most,
            ignore,
            history,
            candidates: Candidates::default(),
            looked: None,
            steady: i64::MAX,
            forgot: None,
            clean: i64::MAX,
            wrong: None,
            seen: HashMap::new(),
            judged: None,
            unusual: Vec::new(),
            findings: Vec::new(),
            summary: Summary::default(),
            asked: Asked::default(),
        }
    }

    /// With platforms that can be asked for silent endpoints.
    #[must_use]
    pub fn asking(self, asked: Asked) -> Self {
        Self { asked, ..self }
    }

    /// What is known of the past.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Goes on with another history.
    pub(crate) fn restore(&mut self, history: History) {
        self.history = history;
        self.judged = None;
        self.forgot = None;
    }

    /// What is unusual at present, the silent ones first.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many endpoints had what kind of last hour.
    #[must_use]
    pub fn summary(&self) -> Summary {
        self.summary
    }

    /// Whether it is time to look again. Times are in seconds since 1970.
    #[must_use]
    pub fn is_due(&self, now: i64) -> bool {
        self.looked.is_none_or(|looked| !(looked..looked + 60).contains(&now))
    }

    /// What came in so far, as (endpoint, hour, how many): at least of the present hour and the one before. `right`: nothing is
    /// wrong at the door, and all of it answers.
    pub fn look(&mut self, now: i64, counts: &BTreeMap<(String, i64), u64>, right: bool) {
        let hour = now.div_euclid(HOUR);
        let begins = self.looked.is_none_or(|looked| looked.div_euclid(HOUR) != hour);
        self.note(now, right);
        // A clock that is wrong for a moment must not cost weeks: until it has been steady for an hour nothing is forgotten, and
        // nothing is learned of an hour that is far from all that is known.
        if now.saturating_sub(self.steady) >= HOUR && self.forgot != Some(hour) {
            self.history.forget(hour);
            self.forgot = Some(hour);
        } else if self.forgot != Some(hour) && self.history.is_far(hour) {
            self.looked = Some(now);
            self.findings.clear();
            self.know_nothing();
            return;
        }
        let mut all = BTreeMap::new();
        for ((endpoint, of), count) in counts.iter().filter(|((_, of), _)| (hour - 1..=hour).contains(of)) {
            *all.entry(*of).or_default() += count;
            // What came to no endpoint is in the sum only.
            if endpoint != ALL {
                self.take(endpoint, *of, *count, now);
            }
        }
        for (of, count) in all {
            self.take(ALL, of, count, now);
        }
        if begins {
            let of_it = counts.iter().filter(|((_, of), _)| *of == hour - 1);
            let names = of_it.map(|((endpoint, _), count)| (endpoint.as_str(), *count));
            let history = &self.history;
            let is_new = |(name, _): &(&str, u64)| ![ALL, OTHERS].contains(name) && history.first(name).is_none();
            let ripe = self.candidates.count(names.filter(is_new), hour - 1, self.most);
            self.history.admit(ripe, hour - 1);
            let history = &self.history;
            self.seen.retain(|endpoint, _| history.first(endpoint).is_some());
        }
        self.looked = Some(now);
        self.judge(now);
        let is_silent = |finding: &&Finding| matches!(finding.kind, FindingKind::Silent { .. });
        let silent = self.findings.iter().filter(is_silent).map(|finding| finding.endpoint.as_str());
        self.asked.are_silent(&silent.collect::<BTreeSet<_>>(), now);
    }

    fn take(&mut self, endpoint: &str, hour: i64, count: u64, now: i64) {
        if !self.history.raise(endpoint, hour, count, self.most) {
            return;
        }
        let Some(seen) = self.seen.get_mut(endpoint) else {
            self.seen.insert(endpoint.to_owned(), now);
            return;
        };
        let since = std::mem::replace(seen, now);
        if self.wrong.is_none() && self.rules.is_old_enough(&self.history, endpoint, hour) {
            // At the look before there was still nothing.
            let until = self.looked.unwrap_or(since).max(since);
            let [_, expected] = self.rules.expected(&self.history, endpoint, [since, self.clean, until]);
            self.history.pause(endpoint, hour, expected);
        }
    }

    /// Which hours were watched from beginning to end.
    fn note(&mut self, now: i64, right: bool) {
        let looked = self.looked.filter(|looked| (*looked..=looked + GAP).contains(&now));
        if looked.is_none() {
            // What was seen by another clock says nothing of how long ago that was.
            self.steady = now;
            self.seen.clear();
        }
        self.wrong = if right { None } else { Some(self.wrong.unwrap_or(now)) };
        if looked.is_none() || self.wrong.is_some_and(|wrong| now - wrong >= WRONG) {
            self.clean = now;
        }
        let before = now.div_euclid(HOUR) - 1;
        if looked.is_some_and(|looked| looked.div_euclid(HOUR) == before) && self.clean <= before * HOUR {
            self.history.watch(before);
        }
    }

    fn judge(&mut self, now: i64) {
        self.findings.clear();
        if self.wrong.is_some() {
            // What is wrong is told by others, and everything else comes of it.
            self.know_nothing();
            return;
        }
        let hour = now.div_euclid(HOUR);
        if self.judged != Some(hour) {
            self.judged = Some(hour);
            (self.unusual, self.summary) = self.last_hour(hour - 1);
        }
        let names = self.watched().filter_map(|endpoint| self.silent(endpoint, now));
        let mut findings: Vec<Finding> = names.collect();
        let silent = findings.len();
        for unusual in &self.unusual {
            if !findings[..silent].iter().any(|found| found.endpoint == unusual.endpoint) {
                findings.push(unusual.clone());
            }
        }
        self.findings = findings;
    }

    /// Nothing is judged at present; once that is over the last hour is judged again.
    fn know_nothing(&mut self) {
        self.judged = None;
        self.unusual.clear();
        self.summary = Summary { not_known: self.watched().count(), ..Summary::default() };
    }

    fn watched(&self) -> impl Iterator<Item = &str> {
        let names = std::iter::once(ALL).chain(self.history.endpoints());
        names.filter(|name| !self.ignore.iter().any(|ignored| ignored == name))
    }

    /// What is unusual in an hour that is over.
    fn last_hour(&self, hour: i64) -> (Vec<Finding>, Summary) {
        let (mut findings, mut summary) = (Vec::new(), Summary::default());
        for endpoint in self.watched() {
            let kind = match self.rules.judge(&self.history, endpoint, hour) {
                Judgement::Low { count, usual } => FindingKind::Low { count, usual },
                Judgement::High { count, usual } => FindingKind::High { count, usual },
                Judgement::Ok => {
                    summary.ok += 1;
                    continue;
                }
                Judgement::NotKnown(Why::TooFew) => {
                    summary.quiet += 1;
                    continue;
                }
                Judgement::NotKnown(_) => {
                    summary.not_known += 1;
                    continue;
                }
            };
            let Some(first) = self.rules.began(&self.history, endpoint, hour) else {
                summary.irregular += 1;
                continue;
            };
            summary.unusual += 1;
            findings.push(Finding { endpoint: endpoint.to_owned(), kind, since: first * HOUR });
        }
        (findings, summary)
    }

    /// Nothing has come for longer than chance or a usual pause explains. After a week the endpoint is taken for gone.
    fn silent(&self, endpoint: &str, now: i64) -> Option<Finding> {
        let since = self.seen.get(endpoint).copied().or_else(|| Some((self.history.last(endpoint)? + 1) * HOUR))?;
        if now - since > WEEK * HOUR || now - since < QUICK {
            return None;
        }
        let [least, pause] = self.rules.silent_from(&self.history, endpoint)?;
        let [expected, middle] = self.rules.expected(&self.history, endpoint, [since, self.clean, now]);
        let kind = FindingKind::Silent { expected };
        (expected >= least && middle > pause).then(|| Finding { endpoint: endpoint.to_owned(), kind, since })
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
