//! The topics that processing reads and writes.

use std::time::Duration;

use bus::{TopicKind, TopicSpec};
use common::event::EVENT_TYPES;
use common::topics::{ACTIVITIES, DEAD_LETTERS, Flow, REGISTRATIONS, STORMS, other, raw, raw_bulk};
use sources::Source;

const DAY: Duration = Duration::from_secs(24 * 3600);
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);

/// What has to be there to process these sources.
pub(crate) fn wanted(sources: &[&'static dyn Source]) -> Vec<TopicSpec> {
    let log = |name: &str, retention| TopicSpec { name: name.to_owned(), kind: TopicKind::Log { retention } };
    let mut wanted = vec![
        TopicSpec { name: REGISTRATIONS.name().to_owned(), kind: TopicKind::Compacted },
        log(ACTIVITIES.name(), WEEK),
        log(DEAD_LETTERS.name(), 30 * DAY),
        log(STORMS.name(), DAY),
    ];
    for source in sources {
        wanted.push(log(raw(source.name()).name(), WEEK));
        wanted.push(log(raw_bulk(source.name()).name(), WEEK));
    }
    wanted.extend(typed(sources).iter().map(|name| log(name, WEEK)));
    wanted
}

/// The topics that processing reads and writes, with every source there is.
#[must_use]
pub fn topics() -> Vec<TopicSpec> {
    wanted(sources::all())
}

/// The topics of their typed events.
pub(crate) fn typed(sources: &[&'static dyn Source]) -> Vec<String> {
    let mut typed = Vec::new();
    for platform in sources.iter().flat_map(|source| source.platforms()) {
        let prefix = format!("events.{platform}.");
        let of_platform = EVENT_TYPES.iter().filter(|event| event.topic.starts_with(&prefix));
        typed.extend(of_platform.map(|event| event.topic.to_owned()));
        typed.push(other(platform).name().to_owned());
    }
    typed
}

/// What becomes of what, with every source there is.
pub fn flow() -> Flow {
    let sources = sources::all();
    let reads = sources.iter().flat_map(|source| [raw(source.name()), raw_bulk(source.name())]);
    let mut writes = typed(sources);
    writes.extend([ACTIVITIES.name().to_owned(), DEAD_LETTERS.name().to_owned()]);
    Flow { reads: reads.map(|topic| topic.name().to_owned()).collect(), writes }
}

#[cfg(test)]
#[path = "topics_tests.rs"]
mod tests;
