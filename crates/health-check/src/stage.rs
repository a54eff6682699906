//! A stage of the pipeline, and what of a digest is about it. Pure.

use std::collections::BTreeSet;

use common::health::v1::{Check, Digest};

use crate::flow::Run;

/// One stage, with those who answer and those who do not.
pub(crate) struct Stage<'a> {
    pub(crate) hop: String,
    pub(crate) expected: u32,
    pub(crate) live: Vec<(&'a Digest, &'a Run)>,
    /// Address, and why it does not answer.
    pub(crate) silent: Vec<(&'a str, &'a str)>,
}

impl Stage<'_> {
    pub(crate) fn new(hop: &str) -> Self {
        Self { hop: hop.to_owned(), expected: 0, live: Vec::new(), silent: Vec::new() }
    }
}

/// The stages that a digest tells of.
pub(crate) fn hops_of(digest: &Digest) -> BTreeSet<String> {
    let counts = digest.counts.iter().map(|count| &count.hop);
    let queues = digest.queues.iter().map(|queue| &queue.hop);
    let hops: BTreeSet<String> = counts.chain(queues).filter(|hop| !hop.is_empty()).cloned().collect();
    if hops.is_empty() && !digest.service.is_empty() { BTreeSet::from([digest.service.clone()]) } else { hops }
}

/// Whether a check is about a stage: by its name, and where the name says nothing, about all of the process.
pub(crate) fn is_about(check: &Check, hop: &str, hops: &BTreeSet<String>) -> bool {
    let named = |hop: &str| {
        let more = if hop == "processing" { "registrations_" } else { "-" };
        check.name.strip_prefix(hop).is_some_and(|rest| rest.starts_with('_')) || check.name.starts_with(more)
    };
    named(hop) || !hops.iter().any(|hop| named(hop))
}
