//! Reads the topic of dead letters.

use std::time::Duration;

use bus::{Bus, Error, Start, Stored};
use common::deadletter::v1::{Coordinates, DeadLetter, Found};
use common::topics::DEAD_LETTERS;

use super::select::{Filter, Seen};

/// A letter says when it was refused by the clock of its stage, and the topic when it was written by another.
const CLOCKS: Duration = Duration::from_secs(60);

/// What is selected of the topic, in the order of each partition, up to its end as it is now.
pub(crate) struct Scan<'a> {
    filter: &'a Filter,
    /// None: there is no topic, so there are no letters.
    reader: Option<bus::Reader>,
    seen: Seen,
    left: usize,
}

impl<'a> Scan<'a> {
    pub(crate) async fn open(bus: &Bus, filter: &'a Filter) -> Result<Self, Error> {
        let start = match filter.from() {
            Some(from) => Start::AtTime(common::time::from_millis(
                common::time::to_millis(&from).saturating_sub(CLOCKS.as_millis() as i64),
            )),
            None => Start::Beginning,
        };
        let reader = match bus.reader(&[DEAD_LETTERS.name().to_owned()], start).await {
            Ok(reader) => Some(reader),
            Err(Error::NoTopic { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Self { filter, reader, seen: Seen::default(), left: filter.at_most().unwrap_or(usize::MAX) })
    }

    /// The next one; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<(Stored, DeadLetter)>, Error> {
        let Some(reader) = &mut self.reader else { return Ok(None) };
        while self.left > 0 {
            let Some(stored) = reader.next_until_end().await? else { break };
            // Anybody may write to the topic.
            let letter = match stored.decode::<DeadLetter>() {
                Ok(letter) => letter,
                Err(error) => {
                    tracing::debug!(%error, "left out: no dead letter");
                    continue;
                }
            };
            if self.filter.fits(&letter) && self.seen.is_new(&letter) {
                self.left -= 1;
                return Ok(Some((stored, letter)));
            }
        }
        Ok(None)
    }

    /// All of them.
    pub(crate) async fn each(
        bus: &Bus,
        filter: &'a Filter,
        mut see: impl FnMut(&Stored, DeadLetter),
    ) -> Result<(), Error> {
        let mut scan = Self::open(bus, filter).await?;
        while let Some((stored, letter)) = scan.next().await? {
            see(&stored, letter);
        }
        Ok(())
    }
}

/// A letter as it is told; `with_payload`: with its bytes.
pub(crate) fn found(stored: &Stored, mut letter: DeadLetter, with_payload: bool) -> Found {
    let at = &stored.coordinates;
    let payload_bytes = letter.payload.len() as u64;
    if !with_payload {
        letter.payload.clear();
    }
    let at = Coordinates {
        log: at.log.to_string(),
        topic: at.topic.to_string(),
        partition: at.partition,
        offset: at.offset,
        index: 0,
    };
    Found { dead_letter: Some(letter), payload_bytes, at: Some(at) }
}
