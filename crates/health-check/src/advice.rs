//! What to do about each problem: it begins with what to do, as whoever reads it was woken. Pure.

use common::health::v1::FailureKind;

pub(crate) const INSTANCES: &str = "Find the cause in the orchestrator or in the log of the process, then start the missing \
                         instance. Acknowledged deliveries are not lost meanwhile.";
/// Of health-check itself.
pub(crate) const ROUND: &str =
    "Look at the log of health-check, and restart it. Everything on this page is as old as that.";
pub(crate) const PROBE: &str = "Run the probe by hand, from where health-check runs: the message says what was asked. If it answers there, \
                     look at the network in between; otherwise at the program itself.";
pub(crate) const IN_WORK: &str =
    "Look at the other checks of the stage, and at its log. What is in work is read again after a restart.";
pub(crate) const READY: &str = "Wait if it is being restarted. Otherwise look at its log.";
pub(crate) const LAG: &str = "Compare its rate with its usual rate. If it works at its limit, add instances; otherwise look at its other \
                   checks. Waiting records expire after the retention of their topic.";
pub(crate) const AGE: &str =
    "Look at the lag of this stage and of the stages before it. The oldest records wait at the stage with the lag.";
pub(crate) const DEAD_LETTERS: &str = "Read the reasons: weir dead-letters stats. Usually a sender has changed its format, or an \
                            endpoint receives deliveries that are not meant for it. After the fix: weir dead-letters replay.";

/// What to do about a check of a service, by the end of its name.
const ADVICE: &[(&str, &str)] = &[
    (
        "_kafka",
        "Check that the brokers are up and reachable (setting bus.kafka.brokers). Senders get 503. Most \
         re-send; redeliver GitHub's from its page. The door resumes by itself when the brokers answer.",
    ),
    (
        "_log",
        "Check the log: the brokers (setting bus.kafka.brokers), or the disk of the embedded log. The stage resumes by \
         itself when the log answers.",
    ),
    (
        "_topics",
        "Create the topics that are missing: weir topics --create. weir topics --check lists all of them. The service \
         checks them again by itself.",
    ),
    (
        "_topic_settings",
        "Alter the topics as the message says: weir topics --commands prints how. If it says that records are removed or \
         lost, hurry: that goes on meanwhile. The service checks them again by itself.",
    ),
    (
        "_claims",
        "Check that the claims' store (Redis, Valkey) answers. Until then the stage emits nothing; nothing is lost.",
    ),
    (
        "_claims_reach",
        "Give the claims' store enough memory (docs/claims.md says how much), and set maxmemory-policy noeviction. After \
         a claim was evicted, a redelivery produces its event a second time, with the same id.",
    ),
    (
        "_retention",
        "Raise retention.ms of the topic first, so that no record expires unread. Then fix what holds up the stage (see its \
         other checks), or add instances.",
    ),
    (
        "_progress",
        "Look at its other checks and at its log. If they show no cause, restart it: its records are read again.",
    ),
    (
        "_partitions",
        "Decide whether the missing records can be given up, then set the offset of the group: weir groups set. Weir \
         never skips offsets by itself.",
    ),
    (
        "_clock",
        "Check the clock of the machine and its time service. Nothing is lost: the log expires no records until the clock \
         has been right for an hour.",
    ),
    (
        "_unread",
        "Find out why the group does not read: weir groups list, and the checks of its stage. If the group is no longer \
         used: weir groups delete. The log keeps its unread records until the disk is full.",
    ),
    (
        "_dead_letter_storm",
        "Read the dead letters (weir dead-letters list). If the previous version could read these \
         deliveries, roll back to it.",
    ),
    (
        "_endpoint_dead_letters",
        "Ask the sender of this endpoint. Read the reasons: weir dead-letters list --endpoint NAME. The door holds \
         the endpoint back until a minute after the last refusal: with 429, or in the slow lane if its platform never re-sends.",
    ),
    (
        "_storms",
        "Look at the checks of processing: they say which deliveries cannot be read. The door lets the endpoints in again by \
         itself.",
    ),
    ("_saturation", "Add instances, or set a rate_limit for the endpoint that sends most."),
    (
        "_endpoints",
        "Give the endpoint a valid secret (weir register rotate), or start the service with the key file that sealed it.",
    ),
    (
        "registrations_database",
        "Check that the database answers (setting registrations.database). Deliveries are still processed meanwhile.",
    ),
    ("_database", "Check that the database answers. The settings of the service say where it is."),
    (
        "_published",
        "Read the message: it says why topic and database were not compared, or what they differ in. Processing changed \
         nothing, and compares them again by itself.",
    ),
    (
        "_registrations",
        "Wait until the registrations topic has been read. If that takes more than a minute, look at the checks of the log.",
    ),
    ("_lake", "Check that the object store answers, and what its credentials may do (section [lake])."),
    (
        "_load_requests",
        "Check the log: the loader gets no load request until the log acknowledges it. Nothing is lost.",
    ),
    (
        "_held",
        "Read the message: it says what is missing, and docs/lake.md what to do. The loader never skips a load request with \
         a gap before it.",
    ),
    (
        "alerts_delivery",
        "Look at the receiver that the message names, and at its setting. Then try it: weir alerts test NAME.",
    ),
    (
        "_upkeep",
        "Read the message: it says why compaction or vacuum failed. Loading continues, and the loader retries by itself.",
    ),
    (
        "certificates",
        "Replace the certificate in the file that the message names. The service takes the new one by itself.",
    ),
];

/// What to do about a check of a service, by the end of its name: every service names the same thing the same way.
pub(crate) fn advice(check: &str, failure: FailureKind) -> &'static str {
    if check.contains("_step_") {
        return STEP;
    }
    let of_log = ["_log", "_kafka"].iter().any(|end| check.ends_with(end));
    let refused = REFUSED.iter().find(|(kind, _)| of_log && *kind == failure);
    let known = || ADVICE.iter().find(|(end, _)| check.ends_with(end));
    refused.map(|(_, advice)| *advice).or_else(|| known().map(|(_, advice)| *advice)).unwrap_or(OTHER)
}

const STEP: &str = "Check the service or file that the step uses. Activities continue without it and are marked as partial; \
                    where the step is required they wait.";
const OTHER: &str = "Look at the log of the instance around that time.";

/// What to do about a log that answers, by what it says.
const REFUSED: &[(FailureKind, &str)] = &[
    (
        FailureKind::Credentials,
        "Correct the user name or the password: bus.kafka.sasl_username, bus.kafka.sasl_password_file, \
         bus.kafka.sasl_mechanism. Then restart the service. What was acknowledged waits on the log.",
    ),
    (
        FailureKind::Certificate,
        "Replace the certificate that the message is about: bus.kafka.ca_file, bus.kafka.certificate_file and \
         bus.kafka.key_file, or that of the brokers. Then restart the service. What was acknowledged waits on the log.",
    ),
    (
        FailureKind::Protocol,
        "Compare bus.kafka.security_protocol and the port in bus.kafka.brokers with the listeners of the brokers. Then \
         restart the service. What was acknowledged waits on the log.",
    ),
    (
        FailureKind::NotAcknowledged,
        "Check that enough brokers are up: they acknowledge a record once min.insync.replicas of them have it. Senders \
         get 503. Most re-send; redeliver GitHub's from its page.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_advice_begins_with_what_to_do() {
        const VERBS: &[&str] = &[
            "Add", "Alter", "Ask", "Check", "Compare", "Correct", "Create", "Decide", "Find", "Give", "Look", "Raise",
            "Read", "Replace", "Run", "Wait",
        ];
        let own = [INSTANCES, ROUND, PROBE, IN_WORK, READY, LAG, AGE, DEAD_LETTERS, STEP, OTHER];
        let all = ADVICE.iter().map(|(_, advice)| advice).chain(REFUSED.iter().map(|(_, advice)| advice)).chain(&own);
        for advice in all {
            let first = advice.split([' ', ':']).next().unwrap();
            assert!(VERBS.contains(&first), "{advice}");
        }
    }

    #[test]
    fn a_log_that_refuses_is_no_log_that_is_away() {
        let table = [
            ("streaming_kafka", FailureKind::Credentials, "Correct the user name or the password"),
            ("loader_log", FailureKind::Certificate, "Replace the certificate"),
            ("loader_log", FailureKind::Protocol, "Compare bus.kafka.security_protocol"),
            ("streaming_kafka", FailureKind::NotAcknowledged, "Check that enough brokers are up"),
            ("streaming_kafka", FailureKind::Unreachable, "Check that the brokers are up"),
            ("loader_log", FailureKind::Unspecified, "Check the log"),
            ("loader_topics", FailureKind::Missing, "Create the topics"),
            ("loader_topic_settings", FailureKind::Unspecified, "Alter the topics"),
            ("loader_lake", FailureKind::Credentials, "Check that the object store answers"),
        ];
        for (check, failure, begins) in table {
            assert!(advice(check, failure).starts_with(begins), "{check} {failure:?}: {}", advice(check, failure));
        }
    }
}
