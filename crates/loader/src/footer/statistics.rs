//! What a table's log says of a file, taken from what the file says of itself: by it engines pass over files.

use deltalake_core::arrow::datatypes::{DataType, TimeUnit};
use deltalake_core::parquet::file::statistics::Statistics;
use serde_json::{Map, Value, json};

use super::Footer;

/// Longer texts are cut to so many characters.
const CHARACTERS: usize = 32;

impl Footer {
    /// The statistics for the table's log: rows, and of each column its nulls, and its smallest and largest value where it is
    /// one of whole numbers, days, times or texts. `columns` are those of the table: what the file lacks is null in it.
    pub(crate) fn statistics<'a>(&self, columns: impl IntoIterator<Item = &'a str>) -> String {
        let (mut min, mut max, mut nulls) = (Map::new(), Map::new(), Map::new());
        for name in columns {
            nulls.insert(name.to_owned(), self.rows().into());
        }
        for field in self.schema.fields() {
            let name = field.name();
            let consists_of_others = matches!(field.data_type(), DataType::Struct(_));
            match self.nulls(name).filter(|_| !consists_of_others) {
                Some(count) => drop(nulls.insert(name.clone(), count.into())),
                None => drop(nulls.remove(name)),
            }
            if let Some((smallest, largest)) = self.range(name, field.data_type()) {
                min.insert(name.clone(), smallest);
                max.insert(name.clone(), largest);
            }
        }
        json!({ "numRecords": self.rows(), "minValues": min, "maxValues": max, "nullCount": nulls }).to_string()
    }

    /// In how many rows a column is null; none where the file does not tell it, or the column consists of others.
    fn nulls(&self, name: &str) -> Option<u64> {
        let columns = self.metadata.file_metadata().schema_descr();
        let leaf = (0..columns.num_columns())
            .find(|n| columns.column(*n).path().parts().first().is_some_and(|root| root == name))?;
        let alone = columns.column(leaf).path().parts().len() == 1;
        if !columns.get_column_root(leaf).is_optional() {
            return Some(0);
        }
        let mut nulls = 0_u64;
        for group in self.metadata.row_groups() {
            let column = group.column(leaf);
            nulls = nulls.saturating_add(match column.statistics().and_then(Statistics::null_count_opt) {
                Some(count) if alone => count,
                // Of a list the statistics count its elements. What is defined at no level is the list itself.
                _ => column
                    .definition_level_histogram()?
                    .values()
                    .first()
                    .copied()
                    .and_then(|n| u64::try_from(n).ok())?,
            });
        }
        Some(nulls)
    }

    fn range(&self, name: &str, data_type: &DataType) -> Option<(Value, Value)> {
        if matches!(data_type, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View) {
            let (min, max) = self.texts(name)?;
            return Some((below(&min).into(), above(&max).into()));
        }
        let write = written_as(data_type)?;
        let bounds = self.bounds(name)?;
        Some((write(bounds.min, false), write(bounds.max, true)))
    }

    /// Texts between which all of a column are; none where the file does not tell them, or the column is null.
    fn texts(&self, name: &str) -> Option<(String, String)> {
        let leaf = self.leaf(name)?;
        let mut all: Option<(&str, &str)> = None;
        for group in self.metadata.row_groups() {
            let statistics = group.column(leaf).statistics()?;
            let nulls = statistics.null_count_opt()?;
            let Statistics::ByteArray(values) = statistics else { return None };
            let Some((min, max)) = values.min_opt().zip(values.max_opt()) else {
                if i64::try_from(nulls).is_ok_and(|nulls| nulls == group.num_rows()) {
                    continue;
                }
                return None;
            };
            let (min, max) = (std::str::from_utf8(min.data()).ok()?, std::str::from_utf8(max.data()).ok()?);
            all = Some(all.map_or((min, max), |all| (all.0.min(min), all.1.max(max))));
        }
        all.map(|(min, max)| (min.to_owned(), max.to_owned()))
    }
}

/// A text that is not larger, and not too long.
fn below(text: &str) -> String {
    text.chars().take(CHARACTERS).collect()
}

/// A text that is not smaller, and not too long: what is cut off must not make it smaller.
fn above(text: &str) -> String {
    let mut start: Vec<char> = text.chars().take(CHARACTERS).collect();
    if text.chars().nth(CHARACTERS).is_none() {
        return text.to_owned();
    }
    while let Some(last) = start.pop() {
        // There are no characters where UTF-16 has its surrogates.
        let next = match u32::from(last) + 1 {
            0xD800 => 0xE000,
            next => next,
        };
        if let Some(next) = char::from_u32(next) {
            start.push(next);
            return start.into_iter().collect();
        }
    }
    text.to_owned()
}

/// How the value of a column is written in the table's log; times have milliseconds there, so the largest is rounded up.
fn written_as(data_type: &DataType) -> Option<fn(i64, bool) -> Value> {
    match data_type {
        DataType::Int8 | DataType::Int16 | DataType::Int32 | DataType::Int64 => Some(|value, _| value.into()),
        DataType::Date32 => Some(|days, _| {
            let midnight = prost_types::Timestamp { seconds: days * 86_400, nanos: 0 }.to_string();
            midnight.get(..10).unwrap_or_default().into()
        }),
        DataType::Timestamp(TimeUnit::Microsecond, Some(_)) => Some(|micros, largest| {
            let millis = micros.div_euclid(1000) + i64::from(largest && micros.rem_euclid(1000) != 0);
            let nanos = i32::try_from(millis.rem_euclid(1000)).unwrap_or(0) * 1_000_000;
            prost_types::Timestamp { seconds: millis.div_euclid(1000), nanos }.to_string().into()
        }),
        _ => None,
    }
}

#[cfg(test)]
#[path = "statistics_tests.rs"]
mod tests;
