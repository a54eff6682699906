//! A record on its way into the log: the producer hands it to a back end, which says in the end what became of it.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, oneshot};

use crate::dead_letters::Letters;
use crate::{Ack, Coordinates, Error, Rejection};

/// The hold on the limits of bytes and of records; dropping it frees them.
pub(crate) type Room = (OwnedSemaphorePermit, OwnedSemaphorePermit);

/// A record in flight: its hold on the limits, and who is told.
#[derive(Debug)]
pub(crate) struct InFlight {
    /// With prefix.
    pub(crate) topic: Arc<str>,
    pub(crate) tell: Tell,
    pub(crate) room: Room,
}

/// Who waits for the outcome.
#[derive(Debug)]
pub(crate) enum Tell {
    Receipt(oneshot::Sender<Result<Coordinates, Error>>),
    Ack(Ack),
    /// The same for a dead letter with a payload of so many bytes.
    Letter(Ack, usize, Arc<Letters>),
}

impl InFlight {
    pub(crate) fn land(self, outcome: Result<Coordinates, Error>) {
        match (self.tell, outcome) {
            // Nobody may be waiting any more, as when a request was cut.
            (Tell::Receipt(sender), outcome) => drop(sender.send(outcome)),
            (Tell::Ack(ack), Ok(_)) => ack.complete(),
            (Tell::Ack(ack), Err(error)) => ack.fail(&error),
            (Tell::Letter(ack, ..), Ok(_)) => ack.complete(),
            (Tell::Letter(ack, bytes, letters), Err(error)) => {
                if error.refusal() == Some(Rejection::TooLarge) {
                    letters.note(bytes, Instant::now());
                }
                ack.fail(&error);
            }
        }
        // Last: when a flush finds all the room, everybody has been told.
        drop(self.room);
    }
}
