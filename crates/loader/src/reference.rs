//! Registrations as a file in the lake, for whoever joins activities with what is known about their endpoints and accounts.

use std::sync::Arc;

use common::registration::v1::Registration;
use common::registration::v1::registration::Kind;
use common::time::to_millis;
use deltalake_core::arrow::array::{
    ArrayRef, Int64Array, MapBuilder, RecordBatch, StringArray, StringBuilder, TimestampMillisecondArray,
};
use deltalake_core::arrow::error::ArrowError;
use deltalake_core::parquet::arrow::ArrowWriter;
use deltalake_core::parquet::basic::{Compression, ZstdLevel};
use deltalake_core::parquet::errors::ParquetError;
use deltalake_core::parquet::file::properties::WriterProperties;
use lake::{Lake, LakeSettings};
use object_store::path::Path;
use object_store::{ObjectStoreExt as _, PutPayload};

/// Where it is, below the lake's root.
const REGISTRATIONS: &str = "reference/registrations.parquet";

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Below the lake's root.
    pub path: &'static str,
    /// One for each registration.
    pub rows: u64,
    /// The size of the file.
    pub bytes: u64,
}

/// Writes registrations, ordered by id, over what was written before. Readers see the old file or the new one. Secrets
/// are not part of it.
///
/// # Errors
/// When the store cannot be written.
pub async fn put_registrations(lake: &LakeSettings, mut registrations: Vec<Registration>) -> anyhow::Result<Exported> {
    let lake = Lake::open(lake)?;
    registrations.sort_by(|a, b| a.id.cmp(&b.id));
    let file = file(&registrations)?;
    let exported = Exported { path: REGISTRATIONS, rows: registrations.len() as u64, bytes: file.len() as u64 };
    let put = lake.store().put(&Path::from(REGISTRATIONS), PutPayload::from(file)).await;
    put.map_err(|error| anyhow::anyhow!("cannot write {REGISTRATIONS} below {}: {error}", lake.root()))?;
    Ok(exported)
}

fn file(registrations: &[Registration]) -> Result<Vec<u8>, ParquetError> {
    let batch = batch(registrations)?;
    let compression = Compression::ZSTD(ZstdLevel::default());
    let properties = WriterProperties::builder().set_compression(compression).build();
    let mut writer = ArrowWriter::try_new(Vec::new(), batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.into_inner()
}

fn batch(registrations: &[Registration]) -> Result<RecordBatch, ArrowError> {
    let text = |value: fn(&Registration) -> Option<&str>| -> ArrayRef {
        Arc::new(StringArray::from_iter(registrations.iter().map(value)))
    };
    let time = |value: fn(&Registration) -> Option<i64>| -> ArrayRef {
        Arc::new(TimestampMillisecondArray::from_iter(registrations.iter().map(value)).with_timezone("UTC"))
    };
    let mut metadata = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for registration in registrations {
        for (name, value) in &registration.metadata {
            metadata.keys().append_value(name);
            metadata.values().append_value(value);
        }
        metadata.append(true)?;
    }
    // Not unsigned: some engines have no such numbers.
    let revisions = registrations.iter().map(|registration| i64::try_from(registration.revision).unwrap_or(i64::MAX));
    let columns: [(&str, ArrayRef, bool); 10] = [
        ("id", text(|one| Some(&one.id)), false),
        ("kind", text(|one| one.kind.as_ref().map(kind)), true),
        ("tenant", text(|one| Some(&one.tenant)), false),
        ("endpoint", text(endpoint), true),
        ("source", text(source), true),
        ("account_id", text(account), true),
        ("revision", Arc::new(Int64Array::from_iter_values(revisions)), false),
        ("created_at", time(|one| one.created_at.as_ref().map(to_millis)), true),
        ("updated_at", time(|one| one.updated_at.as_ref().map(to_millis)), true),
        ("metadata", Arc::new(metadata.finish()), false),
    ];
    RecordBatch::try_from_iter_with_nullable(columns)
}

fn kind(kind: &Kind) -> &'static str {
    match kind {
        Kind::Endpoint(_) => "endpoint",
        Kind::Account(_) => "account",
    }
}

fn endpoint(registration: &Registration) -> Option<&str> {
    Some(match registration.kind.as_ref()? {
        Kind::Endpoint(endpoint) => &endpoint.name,
        Kind::Account(account) => &account.endpoint,
    })
}

fn source(registration: &Registration) -> Option<&str> {
    match registration.kind.as_ref()? {
        Kind::Endpoint(endpoint) => Some(&endpoint.source),
        Kind::Account(_) => None,
    }
}

fn account(registration: &Registration) -> Option<&str> {
    match registration.kind.as_ref()? {
        Kind::Endpoint(_) => None,
        Kind::Account(account) => Some(&account.account_id),
    }
}

#[cfg(test)]
mod tests {
    use common::registration::v1::{Account, Endpoint, SealedSecret};
    use common::time::from_seconds;
    use deltalake_core::arrow::util::display::{ArrayFormatter, FormatOptions};
    use deltalake_core::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

    use super::*;

    #[test]
    fn rows_have_what_is_known_and_no_secret() {
        let sealed = SealedSecret { sealed: b"sealed-secret".to_vec(), key_id: "12345678".into(), expires_at: None };
        let endpoint = Endpoint {
            name: "shop".into(),
            source: "meta".into(),
            secrets: vec![sealed.clone()],
            verify_token: Some(sealed),
            rate_limit: 5,
        };
        let registrations = [
            Registration {
                id: "account/shop/42".into(),
                revision: 3,
                tenant: "alder".into(),
                metadata: [("plan".to_owned(), "gold".to_owned()), ("city".to_owned(), "Ulm".to_owned())].into(),
                created_at: Some(from_seconds(1)),
                kind: Some(Kind::Account(Account { endpoint: "shop".into(), account_id: "42".into() })),
                ..Registration::default()
            },
            Registration {
                id: "endpoint/shop".into(),
                revision: 1,
                tenant: "birch".into(),
                kind: Some(Kind::Endpoint(endpoint)),
                ..Registration::default()
            },
        ];
        let file = file(&registrations).unwrap();
        assert!(!file.windows(6).any(|bytes| bytes == b"sealed"));
        let mut read = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(file)).unwrap().build().unwrap();
        let batch = read.next().unwrap().unwrap();
        let names: Vec<_> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        let options = FormatOptions::default();
        let cells = |row: usize| {
            let cell = |column| ArrayFormatter::try_new(column, &options).unwrap().value(row).to_string();
            batch.columns().iter().map(|column| cell(column.as_ref())).collect::<Vec<_>>()
        };
        assert_eq!(
            names,
            [
                "id",
                "kind",
                "tenant",
                "endpoint",
                "source",
                "account_id",
                "revision",
                "created_at",
                "updated_at",
                "metadata"
            ]
        );
        assert_eq!(
            cells(0),
            [
                "account/shop/42",
                "account",
                "alder",
                "shop",
                "",
                "42",
                "3",
                "1970-01-01T00:00:01Z",
                "",
                "{city: Ulm, plan: gold}"
            ]
        );
        assert_eq!(cells(1), ["endpoint/shop", "endpoint", "birch", "shop", "meta", "", "1", "", "", "{}"]);
    }

    #[test]
    fn none_is_a_table_without_rows() {
        let file = bytes::Bytes::from(file(&[]).unwrap());
        let read = ParquetRecordBatchReaderBuilder::try_new(file).unwrap();
        assert_eq!((read.metadata().file_metadata().num_rows(), read.schema().fields().len()), (0, 10));
    }
}
