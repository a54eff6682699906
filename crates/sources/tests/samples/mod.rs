//! The fixtures of every platform of the catalogue, as deliveries.

#![allow(dead_code, reason = "shared by several test binaries, each of which uses a part of it")]

use std::path::{Path, PathBuf};

use common::raw::v1::{Delivery, Header};
use sources::Source;

/// A fixture.
#[derive(Clone)]
pub(crate) struct Sample {
    pub(crate) source: &'static dyn Source,
    pub(crate) platform: &'static str,
    /// `<kind>` or `<kind>.<what>`.
    pub(crate) name: String,
    pub(crate) file: PathBuf,
    pub(crate) body: Vec<u8>,
}

impl Sample {
    pub(crate) fn delivery(&self) -> Delivery {
        delivery(self.source, &self.name, self.body.clone())
    }
}

/// Where the fixtures of a platform are.
pub(crate) fn folder(platform: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(platform)
}

/// A delivery with the headers that the source's samples have.
pub(crate) fn delivery(source: &dyn Source, name: &str, body: impl Into<Vec<u8>>) -> Delivery {
    let headers = (source.descriptor().sample_headers)(name);
    Delivery {
        delivery_id: "000102030405060708090a0b0c0d0e0f".to_owned(),
        source: source.name().to_owned(),
        endpoint: "gate".to_owned(),
        tenant: "acme".to_owned(),
        scheme: String::new(),
        received_at: Some("2026-01-05T13:00:00Z".parse().unwrap()),
        headers: headers.into_iter().map(|(name, value)| Header { name: name.to_owned(), value }).collect(),
        body: body.into().into(),
    }
}

/// Every fixture there is. Fails where a platform has none.
pub(crate) fn all() -> Vec<Sample> {
    let platforms =
        sources::all().iter().flat_map(|source| source.platforms().iter().map(move |platform| (*source, *platform)));
    platforms.flat_map(|(source, platform)| of_platform(source, platform)).collect()
}

fn of_platform(source: &'static dyn Source, platform: &'static str) -> Vec<Sample> {
    let files = std::fs::read_dir(folder(platform)).into_iter().flatten().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.filter(|file| !is_golden(file)).collect();
    files.sort();
    assert!(
        !files.is_empty(),
        "{platform} has no fixture: add crates/sources/fixtures/{platform}/<kind>.<what>.json, and its golden file by \
         INSTA_UPDATE=always cargo test -p sources --test golden"
    );
    let sample = |file: PathBuf| {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        let body = std::fs::read(&file).unwrap();
        Sample { source, platform, name, file, body }
    };
    files.into_iter().map(sample).collect()
}

/// Whether a file is the golden one of a fixture.
pub(crate) fn is_golden(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "snap" || extension == "new")
}
