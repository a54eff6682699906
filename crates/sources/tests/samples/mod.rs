//! The fixtures of every platform of the catalogue, as deliveries.

#![allow(dead_code, reason = "shared by several test binaries, each of which uses a part of it")]

use std::path::{Path, PathBuf};

use common::raw::v1::{Delivery, Header};
use common::registrations::Registrations;
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

/// For each platform the first fixture that one event and nothing else comes out of: a JSON object, or a list of one.
pub(crate) fn of_one_event() -> Vec<Sample> {
    let is_one = |sample: &Sample| {
        let begin: Vec<u8> = sample.body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).take(2).collect();
        let parsed = sample.source.parse(&sample.delivery(), &Registrations::default());
        (begin.starts_with(b"{") || begin == b"[{") && parsed.items.len() == 1 && parsed.events().count() == 1
    };
    let mut one: Vec<Sample> = all().into_iter().filter(is_one).collect();
    one.dedup_by_key(|sample| sample.platform);
    for source in sources::all() {
        for platform in source.platforms() {
            assert!(
                one.iter().any(|sample| sample.platform == *platform),
                "{}, {platform}: no fixture has exactly one event and nothing else: add one to \
                 crates/sources/fixtures/{platform}, for the tests that put something into it",
                source.name()
            );
        }
    }
    one
}

/// Whether a file is the golden one of a fixture.
pub(crate) fn is_golden(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "snap" || extension == "new")
}
