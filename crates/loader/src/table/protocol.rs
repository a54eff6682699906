//! What a table is set to, and whether it can be kept to.

use deltalake_core::kernel::transaction::PROTOCOL;
use deltalake_core::kernel::{Metadata, Protocol};
use lake::columns::FORMAT;

/// The setting of a table that names the columns by which engines may pass over files.
pub(crate) const SKIPPED_BY: &str = "delta.dataSkippingStatsColumns";
/// The setting of a table that has its format; a table without it has the first.
pub(crate) const FORMAT_SETTING: &str = "weir.format";
/// Features that ask nothing of who appends files and merges whole ones.
const FEATURES: [&str; 6] =
    ["appendOnly", "deletionVectors", "timestampNtz", "v2Checkpoint", "variantType", "checkpointProtection"];

/// Whether a table of this protocol may be written. What is wrong, for people.
pub(super) fn writable(protocol: &Protocol) -> Result<(), String> {
    PROTOCOL.can_read_from_protocol(protocol).map_err(|error| error.to_string())?;
    let version = protocol.min_writer_version();
    if version <= 2 {
        return Ok(());
    }
    let Some(features) = protocol.writer_features() else {
        return Err(format!("its protocol asks for writers of version {version}, and the loader is one of version 2"));
    };
    let names = features.iter().map(ToString::to_string);
    let unknown: Vec<String> = names.filter(|name| !FEATURES.contains(&name.as_str())).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(format!("its protocol has features that the loader does not support: {}", unknown.join(", ")))
}

/// Whether a table of this format may be written. What is wrong, for people.
pub(super) fn known(metadata: &Metadata) -> Result<(), String> {
    let Some(format) = metadata.configuration().get(FORMAT_SETTING) else { return Ok(()) };
    if format.parse::<u32>().is_ok_and(|format| format <= FORMAT) {
        return Ok(());
    }
    Err(format!(
        "it has format {format}, this version of weir supports {FORMAT}: use the version that wrote it, or a later one"
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(protocol: serde_json::Value) -> Result<(), String> {
        writable(&serde_json::from_value(protocol).unwrap())
    }

    #[test]
    fn what_asks_for_more_than_appending_is_refused() {
        assert_eq!(of(json!({ "minReaderVersion": 1, "minWriterVersion": 2 })), Ok(()));
        for version in 3..=6 {
            let refused = of(json!({ "minReaderVersion": 1, "minWriterVersion": version })).unwrap_err();
            assert!(refused.contains(&format!("writers of version {version}")), "{refused}");
        }
        let features = |reader: &[&str], writer: &[&str]| {
            of(json!({
                "minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": reader, "writerFeatures": writer,
            }))
        };
        assert_eq!(features(&["deletionVectors"], &["appendOnly", "deletionVectors"]), Ok(()));
        let refused = features(&[], &["appendOnly", "rowTracking", "identityColumns"]).unwrap_err();
        assert!(refused.ends_with("rowTracking, identityColumns"), "{refused}");
        assert!(features(&["columnMapping"], &["columnMapping"]).is_err());
    }
}
