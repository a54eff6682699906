//! What may lie behind other problems: which it is, and what may follow from each. Pure.

use common::health::v1::{FailureKind, State};

use crate::problems::Problem;
use crate::stage::PROBES;

/// A kind of problem that may be the cause of others.
pub(super) struct Kind {
    /// How the names of its checks end; those without a leading `_` are whole names, `_step_` is within them.
    ends: &'static [&'static str],
    /// What the checks tell of the failure, where that makes it another kind; empty: whatever they tell.
    failures: &'static [FailureKind],
    /// Where several stages need the same thing: what is said of it, and of the stages.
    pub(super) says: Option<[&'static str; 2]>,
    /// Whether a warning leads to something too.
    warns: bool,
    /// What may follow from it at the same stage. Age may follow at later stages too.
    follows: &'static [&'static str],
}

const LOG: &[&str] = &["_log", "_kafka"];
/// Nothing is read from it and nothing is written to it.
const OF_LOG: &[&str] = &[
    "_topics",
    "_topic_settings",
    "_claims",
    "_load_requests",
    "_registrations",
    "_published",
    "_progress",
    "consumer",
    "_retention",
    "lag",
    "in_work",
    "canary",
    "age",
    "_saturation",
    "error_rate",
    "ready",
];
/// The stage takes in, and nothing comes out.
const OF_WORK: &[&str] = &["_progress", "_retention", "lag", "in_work", "canary", "age", "error_rate", "ready"];

const NONE: Kind = Kind { ends: &[], failures: &[], says: None, warns: false, follows: &[] };

const fn log(failures: &'static [FailureKind], says: &'static str) -> Kind {
    Kind { ends: LOG, failures, says: Some([says, "wait"]), follows: OF_LOG, ..NONE }
}

/// The deepest first: what an earlier one explains, a later one does not.
pub(super) const KINDS: &[Kind] = &[
    log(&[FailureKind::Credentials], "The brokers reject the user name or the password"),
    log(&[FailureKind::Certificate], "A certificate is in the way of the brokers"),
    log(&[FailureKind::Protocol], "The brokers speak another protocol"),
    log(&[FailureKind::Unreachable, FailureKind::NotAcknowledged], "The brokers do not answer"),
    log(&[], "The log does not answer"),
    Kind { ends: &["_claims"], says: Some(["The claims' store does not answer", "wait"]), follows: OF_WORK, ..NONE },
    Kind {
        ends: &["_topics"],
        failures: &[FailureKind::Missing, FailureKind::Unspecified],
        says: Some(["Topics are missing", "need them"]),
        follows: &[
            "_claims",
            "_load_requests",
            "_registrations",
            "_published",
            "_progress",
            "consumer",
            "_retention",
            "lag",
            "in_work",
            "canary",
            "age",
            "error_rate",
            "ready",
        ],
        ..NONE
    },
    // The stages go on.
    Kind {
        ends: &["_topic_settings"],
        says: Some(["Topics have wrong settings", "say so"]),
        follows: &["ready"],
        ..NONE
    },
    Kind {
        ends: &["_lake"],
        says: Some(["The object store of the lake does not answer", "wait"]),
        follows: &["_upkeep", "_progress", "_retention", "lag", "in_work", "canary", "age", "error_rate", "ready"],
        ..NONE
    },
    // Deliveries are still processed.
    Kind {
        ends: &["registrations_database"],
        says: Some(["The database of the registrations does not answer", "need it"]),
        follows: &["_published", "error_rate", "ready"],
        ..NONE
    },
    Kind {
        ends: &["instances"],
        says: Some(["Instances are missing", "are short of them"]),
        follows: &[
            "_progress",
            "consumer",
            "_retention",
            "lag",
            "in_work",
            "canary",
            "age",
            "_saturation",
            "error_rate",
        ],
        ..NONE
    },
    Kind {
        ends: &["_dead_letter_storm"],
        follows: &[
            "_endpoint_dead_letters",
            "_storms",
            "dead_letters",
            "_progress",
            "_retention",
            "lag",
            "in_work",
            "canary",
            "age",
            "error_rate",
        ],
        ..NONE
    },
    // The others go on.
    Kind { ends: &["_endpoint_dead_letters"], follows: &["_storms", "dead_letters", "error_rate"], ..NONE },
    Kind { ends: &["_step_", "_held", "_partitions", "_load_requests"], follows: OF_WORK, ..NONE },
    Kind { ends: &["_progress"], follows: &["consumer", "_retention", "lag", "in_work", "canary", "age"], ..NONE },
    Kind { ends: &["lag"], warns: true, follows: &["_retention", "canary", "age"], ..NONE },
];

impl Kind {
    /// The place of the kind of a problem; none: nothing follows from it. What is not known, or only near a limit, is no
    /// reason yet to say that what all need is away. The names of probes are whatever their settings say.
    pub(super) fn of(problem: &Problem) -> Option<usize> {
        let is_it = |kind: &Kind| {
            is_called(&problem.check, kind.ends)
                && (kind.failures.is_empty() || kind.failures.contains(&problem.failure))
                && (kind.warns || problem.state == State::Failing)
        };
        if is_probe(problem) { None } else { KINDS.iter().position(is_it) }
    }

    /// Whether nobody is refused: the log itself is away.
    pub(super) fn is_log_away(&self) -> bool {
        const REFUSED: [FailureKind; 3] = [FailureKind::Credentials, FailureKind::Certificate, FailureKind::Protocol];
        self.ends == LOG && !self.failures.iter().any(|failure| REFUSED.contains(failure))
    }

    /// Whether a problem may follow from it.
    pub(super) fn leads_to(&self, problem: &Problem) -> bool {
        // What several stages need follows from nothing. And what expires cannot wait for the cause: it has something to be
        // done of its own.
        let is_own = Kind::of(problem).is_some_and(|kind| KINDS[kind].says.is_some());
        let expires = problem.state == State::Failing && problem.check.ends_with("_retention");
        !is_probe(problem) && !is_own && !expires && is_called(&problem.check, self.follows)
    }
}

fn is_probe(problem: &Problem) -> bool {
    problem.hops.iter().any(|hop| hop == PROBES)
}

/// Whether a check has one of these names: checks of services begin with the stage, those of health-check's own do not.
fn is_called(check: &str, ends: &[&str]) -> bool {
    let is_it = |end: &&str| match (end.starts_with('_'), end.ends_with('_')) {
        (true, true) => check.contains(*end),
        (true, false) => check.ends_with(*end),
        _ => check == *end,
    };
    ends.iter().any(is_it)
}
