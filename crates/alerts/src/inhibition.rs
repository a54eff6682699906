//! What follows from what: one rule for health-check, which does not report what is not known, and for who is told.

/// The stage of probes, whose names are whatever their settings say: nothing follows from how one ends.
pub const PROBES: &str = "probes";

const LOG: &[&str] = &["_log", "_kafka"];

/// What explains what at one stage, as the rules of Prometheus have it: what is told with the others is no alert of its own.
const EXPLAINED: &[(&[&str], &[&str])] = &[
    (&["_topics", "_claims", "_load_requests", "_held", "_registrations", "_published", "ready"], LOG),
    (&["_registrations", "_published", "_progress", "consumer", "ready"], &["_topics"]),
    (&["_published", "ready"], &["registrations_database"]),
    (&["_progress", "in_work"], &["_claims", "_lake", "_load_requests", "_dead_letter_storm", STEP]),
    (&["ready"], &["_claims", "_registrations", "_lake"]),
    (&["_endpoint_dead_letters"], &["_dead_letter_storm"]),
    (&["consumer"], &["_progress"]),
    (&["lag", "age"], &["_topics", "_claims", "_lake", "_load_requests", "_held", "_partitions", "_progress"]),
    (&["lag", "age"], &["_dead_letter_storm", STEP, "instances"]),
];

/// What an instance needs: what is for working hours waits as long as it is away.
const BASIS: &[&str] = &["_log", "_kafka", "_topics", "_claims", "_lake", "registrations_database"];

/// The checks of the steps of the enricher.
const STEP: &str = "_step_";

/// Whether a check has this name. Checks of services begin with their stage, so that the end says which it is.
#[must_use]
pub fn is_called(check: &str, name: &str) -> bool {
    match name {
        STEP => check.contains(STEP),
        _ if name.starts_with('_') => check.ends_with(name),
        _ => check == name,
    }
}

/// Whether the check of a stage says how the log is.
#[must_use]
pub fn is_log(stage: &str, check: &str) -> bool {
    stage != PROBES && is_one_of(check, LOG)
}

/// Whether the check of a stage says how the topics are.
#[must_use]
pub fn is_topics(stage: &str, check: &str) -> bool {
    stage != PROBES && check.ends_with("_topics")
}

/// Whether nothing is known of the check of a stage while its log is away: everything waits then.
#[must_use]
pub fn follows_log(check: &str) -> bool {
    let waiting = ["_progress", "_retention", "consumer", "in_work", "lag", "age", "dead_letters", "volume", "canary"];
    is_one_of(check, &waiting)
}

/// Whether a failure of this check has something to be done of its own, whatever it follows from: records that are soon
/// removed unread do not wait for the log.
#[must_use]
pub fn stands_alone(check: &str) -> bool {
    check.ends_with("_retention")
}

/// Whether the check of a stage waits for its topics.
#[must_use]
pub fn follows_topics(check: &str) -> bool {
    is_one_of(check, &["_registrations", "_published", "_progress"])
}

/// Whether `check` follows from `cause`, which is failing at the same stage and wakes somebody: told once is enough.
/// `is_ticket`: it is for working hours.
#[must_use]
pub fn follows(stage: &str, check: &str, is_ticket: bool, cause: &str) -> bool {
    let is_explained = |(checks, causes): &(&[&str], &[&str])| is_one_of(check, checks) && is_one_of(cause, causes);
    stage != PROBES
        && check != cause
        && ((is_log(stage, cause) && follows_log(check))
            || EXPLAINED.iter().any(is_explained)
            || (is_ticket && is_one_of(cause, BASIS)))
}

/// Whether nothing is known of the other checks of a stage while this one of it fails: nobody there answers.
#[must_use]
pub fn hides_others(check: &str) -> bool {
    check == "instances"
}

fn is_one_of(check: &str, names: &[&str]) -> bool {
    names.iter().any(|name| is_called(check, name))
}
