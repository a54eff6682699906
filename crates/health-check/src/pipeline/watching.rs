//! Looks at the volume of the door, after each round. Pure.

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
