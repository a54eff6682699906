//! Looks at the volume of the door, after each round. Pure.

use std::time::SystemTime;

use platforms::PlatformAnswer;
use prost_types::Timestamp;

use super::Model;
use crate::volume::{History, Watch, door};

impl Model {
    /// Compares what comes in with what is usual.
    #[must_use]
    pub fn watching(self, volume: Option<Watch>) -> Self {
        Self { volume, ..self }
    }

    /// What watches the volume.
    #[must_use]
    pub fn volume(&self) -> Option<&Watch> {
        self.volume.as_ref()
    }

    /// Goes on with this history. What came in since is in what the door tells of the last two hours, or is lost.
    pub(crate) fn restore_volumes(&mut self, history: History) {
        if let Some(watch) = &mut self.volume {
            watch.restore(history);
        }
    }

    /// Of which silent endpoints the platform is to be asked now.
    pub(crate) fn platforms_to_ask(&mut self, now: SystemTime) -> Vec<String> {
        let now = Timestamp::from(now).seconds;
        self.volume.as_mut().map(|watch| watch.asked.to_ask(now)).unwrap_or_default()
    }

    /// What the platform says of one of them.
    pub(crate) fn platform_answered(&mut self, endpoint: &str, answer: PlatformAnswer, now: SystemTime) {
        if let Some(watch) = &mut self.volume {
            watch.asked.answered(endpoint, answer, Timestamp::from(now).seconds);
        }
    }

    /// What is told of the volume at this moment.
    pub(super) fn volume_told(&self, now: SystemTime) -> Vec<door::Told<'_>> {
        let now = Timestamp::from(now).seconds;
        self.volume.iter().flat_map(|watch| door::told(watch.findings(), &watch.asked, now)).collect()
    }

    pub(super) fn look_at_the_volume(&mut self, now: i64) {
        let Some(mut watch) = self.volume.take_if(|watch| watch.is_due(now)) else { return };
        let instances = self.instances();
        let door = self.stages(&instances).into_iter().find(|stage| stage.hop == door::DOOR);
        let runs = instances.iter().filter_map(|place| place.run.as_ref()).chain(&self.ended);
        let totals = runs.map(|run| &run.totals).chain([&self.settled]);
        // Without a door nothing can be said of it.
        watch.look(now, &door::counts(totals, now), door.as_ref().is_some_and(door::is_right));
        self.volume = Some(watch);
    }
}
