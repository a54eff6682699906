//! Reads dead letters: in their order, or the newest first.

use std::collections::VecDeque;
use std::time::Duration;

use bus::{Error, OffsetRange, Spans, Stored};
use common::deadletter::v1::{Coordinates, DeadLetter, Found};

use super::index::{self, Piece};
use super::indexer::Letters;
use super::select::{Filter, Seen};

/// A letter says when it was refused by the clock of its stage, and the topic when it was written by another.
const CLOCKS: Duration = Duration::from_secs(60);

/// What is selected of the topic, in the order of each partition, up to its end as it is now.
pub(crate) struct Scan<'a> {
    filter: &'a Filter,
    spans: Spans,
    pieces: VecDeque<Piece>,
    ahead: VecDeque<Stored>,
    seen: Seen,
    left: usize,
    read: u64,
}

impl<'a> Scan<'a> {
    pub(crate) async fn open(letters: &Letters, filter: &'a Filter) -> Result<Self, Error> {
        let mut spans = letters.spans();
        let ranges = meant(letters, &mut spans, filter).await?;
        let pieces = letters.index().pieces(filter, &ranges);
        Ok(Self::of(spans, filter, pieces))
    }

    /// What is selected of some pieces.
    pub(crate) fn of(spans: Spans, filter: &'a Filter, pieces: Vec<Piece>) -> Self {
        let left = filter.at_most().unwrap_or(usize::MAX);
        Self { filter, spans, pieces: pieces.into(), ahead: VecDeque::new(), seen: Seen::default(), left, read: 0 }
    }

    /// Letters that were read so far, selected or not.
    pub(crate) fn read(&self) -> u64 {
        self.read
    }

    /// The next one; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<(Stored, DeadLetter)>, Error> {
        while self.left > 0 {
            let Some(stored) = self.ahead.pop_front() else {
                let Some(piece) = self.pieces.front_mut() else { break };
                let span = self.spans.read(piece.partition, piece.from, piece.until).await?;
                piece.from = span.next;
                if piece.from >= piece.until {
                    self.pieces.pop_front();
                }
                self.read += span.records.len() as u64;
                self.ahead.extend(span.records);
                continue;
            };
            let Some(letter) = index::letter(&stored) else { continue };
            if self.filter.fits(&letter) && self.seen.is_new(&letter) {
                self.left -= 1;
                return Ok(Some((stored, letter)));
            }
        }
        Ok(None)
    }

    /// All of them.
    pub(crate) async fn each(
        letters: &Letters,
        filter: &'a Filter,
        mut see: impl FnMut(&Stored, DeadLetter),
    ) -> Result<(), Error> {
        let mut scan = Self::open(letters, filter).await?;
        while let Some((stored, letter)) = scan.next().await? {
            see(&stored, letter);
        }
        Ok(())
    }
}

/// The partitions, from where on something may be meant.
pub(crate) async fn meant(letters: &Letters, spans: &mut Spans, filter: &Filter) -> Result<Vec<OffsetRange>, Error> {
    let ranges = letters.ranges(spans).await?;
    let Some(from) = filter.from().filter(|_| !ranges.is_empty()) else { return Ok(ranges) };
    let from = common::time::to_millis(&from).saturating_sub(CLOCKS.as_millis() as i64);
    spans.first_at(&ranges, &common::time::from_millis(from)).await
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
