//! A file of reference data as a table in memory.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::steps::Attributes;

/// So many times `max_bytes` a file may be when it is unpacked.
const UNPACKED: u64 = 4;

/// What a table may hold.
#[derive(Debug, Clone)]
pub(super) struct TableLimits {
    pub(super) bytes: u64,
    pub(super) rows: usize,
    pub(super) attributes: usize,
    pub(super) attribute_bytes: usize,
}

/// Which columns are read.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    /// Those of the key, in its order.
    pub(super) key: Vec<String>,
    /// Those that become attributes; none: all others.
    pub(super) attributes: Vec<String>,
}

/// The places of the columns in the file.
struct Places {
    key: Vec<usize>,
    attributes: Vec<(String, usize)>,
}

/// Rows by key.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: HashMap<Vec<String>, Attributes>,
    bytes: u64,
}

impl Table {
    pub(super) fn get(&self, key: &Vec<String>) -> Option<Attributes> {
        self.rows.get(key).cloned()
    }

    pub(super) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Takes in a row; `at` names it in messages.
    fn insert<'a>(
        &mut self,
        at: &dyn Fn() -> String,
        places: &Places,
        value: impl Fn(usize) -> Result<std::borrow::Cow<'a, str>, String>,
        limits: &TableLimits,
    ) -> Result<(), String> {
        if self.rows.len() >= limits.rows {
            return Err(format!("it has more than the {} rows that enricher.reference.max_rows allows", limits.rows));
        }
        let read = |place: usize| value(place).map_err(|problem| format!("{}: {problem}", at()));
        let key: Vec<String> =
            places.key.iter().map(|place| read(*place).map(|text| text.into_owned())).collect::<Result<_, _>>()?;
        let mut attributes = BTreeMap::new();
        let mut bytes = 0;
        for (name, place) in &places.attributes {
            let value = read(*place)?;
            if !value.is_empty() {
                bytes += name.len() + value.len();
                attributes.insert(name.clone(), value.into_owned());
            }
        }
        if bytes > limits.attribute_bytes {
            return Err(format!(
                "{} has {bytes} bytes, but enricher.reference.max_attribute_bytes allows {}",
                at(),
                limits.attribute_bytes
            ));
        }
        // A small Parquet file may hold a lot.
        self.bytes += (bytes + key.iter().map(String::len).sum::<usize>()) as u64;
        if self.bytes > limits.bytes.saturating_mul(UNPACKED) {
            return Err(format!(
                "{}: the unpacked data has more than {UNPACKED} times enricher.reference.max_bytes",
                at()
            ));
        }
        match self.rows.insert(key, Arc::new(attributes)) {
            None => Ok(()),
            Some(_) => Err(format!("{} has a duplicate key: an earlier row has the same key", at())),
        }
    }
}

/// Reads a file; the name's end tells how.
pub(super) fn read(path: &Path, columns: &Columns, limits: &TableLimits) -> Result<Table, String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let bytes = file.metadata().map_err(|error| error.to_string())?.len();
    if bytes > limits.bytes {
        return Err(format!("it has {bytes} bytes, but enricher.reference.max_bytes allows {}", limits.bytes));
    }
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("parquet") => parquet(file, columns, limits),
        _ => csv(file, columns, limits),
    }
}

fn csv(file: File, columns: &Columns, limits: &TableLimits) -> Result<Table, String> {
    let mut reader = csv::ReaderBuilder::new().from_reader(std::io::BufReader::new(file));
    let names: Vec<String> = match reader.headers() {
        // Spreadsheets like to write a mark of the byte order first.
        Ok(names) => names.iter().map(|name| name.trim_start_matches('\u{feff}').trim().to_owned()).collect(),
        Err(error) => return Err(error.to_string()),
    };
    let places = places(&names, columns, limits)?;
    let mut table = Table::default();
    for record in reader.records() {
        let record = record.map_err(|error| error.to_string())?;
        let line = record.position().map_or(0, csv::Position::line);
        let value = |place: usize| record.get(place).map(Into::into).ok_or_else(|| "too few columns".to_owned());
        table.insert(&|| format!("line {line}"), &places, value, limits)?;
    }
    Ok(table)
}

fn parquet(file: File, columns: &Columns, limits: &TableLimits) -> Result<Table, String> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| error.to_string())?;
    let names: Vec<String> = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let places = places(&names, columns, limits)?;
    let mut table = Table::default();
    let mut before = 0;
    for batch in builder.build().map_err(|error| error.to_string())? {
        let batch: RecordBatch = batch.map_err(|error| error.to_string())?;
        let options = FormatOptions::new();
        let formatters = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options))
            .collect::<Result<Vec<_>, _>>()
            .map_err(|error| error.to_string())?;
        for row in 0..batch.num_rows() {
            let value = |place: usize| {
                let formatter = formatters.get(place).ok_or_else(|| "too few columns".to_owned())?;
                formatter.value(row).try_to_string().map(Into::into).map_err(|error| error.to_string())
            };
            table.insert(&|| format!("row {}", before + row + 1), &places, value, limits)?;
        }
        before += batch.num_rows();
    }
    Ok(table)
}

fn places(names: &[String], columns: &Columns, limits: &TableLimits) -> Result<Places, String> {
    let place = |wanted: &String| {
        let mut found = names.iter().enumerate().filter(|(_, name)| *name == wanted).map(|(place, _)| place);
        match (found.next(), found.next()) {
            (Some(place), None) => Ok(place),
            (Some(_), Some(_)) => Err(format!("it has the column {wanted:?} twice")),
            (None, _) => Err(format!("it has no column {wanted:?}, only {}", names.join(", "))),
        }
    };
    let key = columns.key.iter().map(place).collect::<Result<Vec<_>, _>>()?;
    let wanted: Vec<String> = match columns.attributes.is_empty() {
        true => names.iter().filter(|name| !columns.key.contains(name)).cloned().collect(),
        false => columns.attributes.clone(),
    };
    if wanted.len() > limits.attributes {
        return Err(format!(
            "it has {} attribute columns, but enricher.reference.max_attributes allows {}",
            wanted.len(),
            limits.attributes
        ));
    }
    let attributes =
        wanted.iter().map(|name| place(name).map(|place| (name.clone(), place))).collect::<Result<Vec<_>, _>>()?;
    Ok(Places { key, attributes })
}
