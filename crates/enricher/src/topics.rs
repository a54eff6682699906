//! The topics that the enricher reads and writes.

use std::time::Duration;

use bus::{TopicKind, TopicSpec};
use common::topics::{ACTIVITIES, ACTIVITIES_ENRICHED, DEAD_LETTERS, Flow, LOADS};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The topics that the enricher reads and writes.
#[must_use]
pub fn topics() -> Vec<TopicSpec> {
    let log = |name: &str, days| TopicSpec { name: name.to_owned(), kind: TopicKind::Log { retention: days * DAY } };
    vec![
        log(ACTIVITIES.name(), 7),
        log(ACTIVITIES_ENRICHED.name(), 7),
        log(LOADS.name(), 7),
        log(DEAD_LETTERS.name(), 30),
    ]
}

/// What becomes of what.
pub fn flow() -> Flow {
    let writes = [ACTIVITIES_ENRICHED.name(), LOADS.name(), DEAD_LETTERS.name()].map(str::to_owned);
    Flow { reads: vec![ACTIVITIES.name().to_owned()], writes: writes.to_vec() }
}
