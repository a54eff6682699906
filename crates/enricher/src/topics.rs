//! The topics of the enricher.

use common::catalogue::{Description, Dial, Need, Runs, Scales, TopicUse, Use};
use common::topics::{ACTIVITIES, ACTIVITIES_ENRICHED, DEAD_LETTERS, LOADS};

use crate::STAGE;

/// What it does.
pub const ABOUT: &str = "Enriches activities, and writes them to a topic and to files in the lake";

const RUNS: Runs = Runs {
    scales: Scales::Lag(2000),
    cpu: "500m",
    memory: ["256Mi", "1Gi"],
    needs: &[Need::Lake, Need::Claims],
    answers: &[],
    dials: &[Dial { service: "processing", setting: Some("enricher.processing_url") }],
};

/// What the enricher is.
#[must_use]
pub fn description() -> Description {
    let topics = vec![
        TopicUse::of(&ACTIVITIES, Use::Input, "its input"),
        TopicUse::of(&ACTIVITIES_ENRICHED, Use::Output, "enriched activities"),
        TopicUse::of(&ACTIVITIES_ENRICHED, Use::LookUp, "to rebuild the claims, where their store was emptied"),
        TopicUse::of(&LOADS, Use::Output, "load requests"),
        TopicUse::of(&DEAD_LETTERS, Use::Output, "what it refuses"),
    ];
    Description { name: STAGE, about: ABOUT, topics, refuses: true, replays: false, runs: RUNS }
}
