//! The texts of some items, kept while their delivery is cut.

use std::collections::{BTreeMap, BTreeSet};

/// Keeps the texts of the items at some positions, each in its envelope.
#[derive(Debug, Default)]
pub(super) struct Texts {
    wanted: BTreeSet<u32>,
    texts: BTreeMap<u32, String>,
}

impl Texts {
    /// Of the items at these positions.
    pub(super) fn wanted(positions: &BTreeSet<u32>) -> Self {
        Self { wanted: positions.clone(), texts: BTreeMap::new() }
    }

    /// Keeps the text of the item at this position, where it is wanted.
    pub(super) fn keep(&mut self, position: u32, text: impl FnOnce() -> String) {
        if self.wanted.contains(&position) {
            self.texts.insert(position, text());
        }
    }

    /// What was kept, by its position.
    pub(super) fn kept(self) -> BTreeMap<u32, String> {
        self.texts
    }
}
