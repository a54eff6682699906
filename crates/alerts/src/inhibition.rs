//! What follows from what: one rule for health-check, which does not report what is not known, and for who is told.

/// The stage of probes, whose names are whatever their settings say: nothing follows from how one ends.
pub const PROBES: &str = "probes";

/// Whether the check of a stage says how the log is.
#[must_use]
pub fn is_log(stage: &str, check: &str) -> bool {
    stage != PROBES && ends_with(check, &["_log", "_kafka"])
}

/// Whether the check of a stage says how the topics are.
#[must_use]
pub fn is_topics(stage: &str, check: &str) -> bool {
    stage != PROBES && check.ends_with("_topics")
}

/// Whether nothing is known of the check of a stage while its log is away: everything waits then.
#[must_use]
pub fn follows_log(check: &str) -> bool {
    ends_with(check, &["_progress", "_retention"])
        || ["consumer", "in_work", "lag", "age", "dead_letters", "volume", "canary"].contains(&check)
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
    ends_with(check, &["_registrations", "_published", "_progress"])
}

/// Whether `check` follows from `cause`, which is failing at the same stage: told once is enough.
#[must_use]
pub fn follows(stage: &str, check: &str, cause: &str) -> bool {
    (is_log(stage, cause) && follows_log(check)) || (is_topics(stage, cause) && follows_topics(check))
}

/// Whether nothing is known of the other checks of a stage while this one of it fails: nobody there answers.
#[must_use]
pub fn hides_others(check: &str) -> bool {
    check == "instances"
}

fn ends_with(check: &str, ends: &[&str]) -> bool {
    ends.iter().any(|end| check.ends_with(end))
}
