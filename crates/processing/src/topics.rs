//! The topics of processing.

use common::catalogue::{Answer, Description, Need, Runs, Scales, TopicUse, Use};
use common::deadletter::v1::dead_letter_service_server;
use common::enrichment::v1::enrichment_service_server;
use common::registration::v1::registration_service_server;
use common::topics::{ACTIVITIES, DEAD_LETTERS, REGISTRATIONS, STORMS, raw, raw_bulk};
use sources::Source;

use crate::STAGE;

/// What it does.
pub const ABOUT: &str = "Turns raw deliveries into typed events and activities, and keeps the registrations";

const RUNS: Runs = Runs {
    scales: Scales::Lag(1000),
    cpu: "500m",
    memory: ["192Mi", "768Mi"],
    needs: &[Need::Claims, Need::SealingKey, Need::Database("registrations")],
    answers: &[
        Answer::Grpc(registration_service_server::SERVICE_NAME),
        Answer::Grpc(dead_letter_service_server::SERVICE_NAME),
        Answer::Grpc(enrichment_service_server::SERVICE_NAME),
    ],
    dials: &[],
};

/// What processing is, with every source there is.
#[must_use]
pub fn description() -> Description {
    described(sources::all())
}

/// What it is where only these sources are processed.
pub(crate) fn described(sources: &[&'static dyn Source]) -> Description {
    let mut topics = Vec::new();
    for source in sources {
        topics.push(TopicUse::of(&raw(source.name()), Use::Input, "its input"));
        topics.push(TopicUse::of(&raw_bulk(source.name()), Use::Input, "its input"));
    }
    topics.extend(events(sources, Use::Output, "typed events"));
    topics.extend(events(sources, Use::LookUp, "to rebuild the claims, where their store was emptied"));
    topics.extend([
        TopicUse::of(&ACTIVITIES, Use::Output, "activities"),
        TopicUse::of(&REGISTRATIONS, Use::LookUp, "accounts and their tenants; comparison with the database"),
        TopicUse::of(&REGISTRATIONS, Use::Tell, "registrations"),
        TopicUse::of(&DEAD_LETTERS, Use::Output, "what it refuses"),
        TopicUse::of(&STORMS, Use::Tell, "which endpoints to hold back"),
        TopicUse::of(&DEAD_LETTERS, Use::LookUp, "replay"),
    ]);
    Description { name: STAGE, about: ABOUT, topics, refuses: true, replays: true, runs: RUNS }
}

/// The topics of the typed events of these sources.
pub(crate) fn typed(sources: &[&'static dyn Source]) -> Vec<String> {
    events(sources, Use::Output, "").map(|event| event.topic.name).collect()
}

fn events(sources: &[&'static dyn Source], used: Use, why: &'static str) -> impl Iterator<Item = TopicUse> {
    let platforms = sources.iter().flat_map(|source| source.platforms());
    platforms.flat_map(move |platform| TopicUse::events(platform, used, why))
}

#[cfg(test)]
#[path = "topics_tests.rs"]
mod tests;
