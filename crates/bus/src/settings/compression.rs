//! Which compression a topic has.

use std::collections::BTreeSet;

use common::kinds::Problems;

use super::ProducerSettings;

/// What the client can do.
const KNOWN: [&str; 5] = ["none", "gzip", "lz4", "snappy", "zstd"];

impl ProducerSettings {
    /// The compression of a topic, named without the prefix of the installation. A name comes before a prefix, and a
    /// longer prefix before a shorter one.
    pub(crate) fn compression_of(&self, topic: &str) -> &str {
        if let Some(compression) = self.compression_by_topic.get(topic) {
            return compression;
        }
        let prefixes = self.compression_by_topic.iter().filter_map(|(pattern, compression)| {
            let prefix = pattern.strip_suffix('*')?;
            topic.starts_with(prefix).then_some((prefix.len(), compression))
        });
        prefixes.max_by_key(|(length, _)| *length).map_or(&self.compression, |(_, compression)| compression)
    }

    /// Every compression that some topic may have, once.
    pub(crate) fn compressions(&self) -> BTreeSet<&str> {
        let by_topic = self.compression_by_topic.values().map(String::as_str);
        by_topic.chain([self.compression.as_str()]).collect()
    }
}

pub(super) fn validate(settings: &ProducerSettings, problems: &mut Problems) {
    let known = |compression: &str| KNOWN.contains(&compression);
    let fix = "give none, gzip, lz4, snappy or zstd";
    let compression = settings.compression.as_str();
    problems.check(known(compression), "producer.compression", format!("{compression:?} is not known"), fix);
    for (pattern, compression) in &settings.compression_by_topic {
        let key = "producer.compression_by_topic";
        problems.check(known(compression), key, format!("{compression:?} for {pattern:?} is not known"), fix);
        let name = pattern.strip_suffix('*').unwrap_or(pattern);
        let named = !pattern.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        problems.check(
            named,
            key,
            format!("{pattern:?} is neither a topic nor a prefix"),
            "write a name as in \"raw.github\", or a prefix with one * at the end, as in \"raw.*\"",
        );
    }
}

#[cfg(test)]
#[path = "compression_tests.rs"]
mod tests;
