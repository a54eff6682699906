//! The files of a table in which rows of a time can be: by their day, and by the statistics in the table's log, so that
//! no other file is opened.

use std::ops::Range;

use common::time::{from_millis, from_rfc3339, to_micros};
use deltalake_core::kernel::LogicalFileView;
use futures_util::{TryStreamExt as _, future};
use serde::Deserialize;

use super::{Error, Table, TableFile};

impl Table {
    /// The files in which rows can be that were accepted then, microseconds since 1970.
    pub(crate) async fn files_of(&self, received: &Range<i64>) -> Result<Vec<TableFile>, Error> {
        // A day in the table is that of the acceptance.
        let [first, last] = [received.start, received.end.saturating_sub(1)].map(day);
        let listing = self.listing().await?;
        let files = self.views(&listing).try_filter_map(|view| {
            let day = view.partition_values_map().remove(lake::columns::DAY).flatten().unwrap_or_default();
            let is_of_day = (first.as_str()..=last.as_str()).contains(&day.as_str());
            let can = is_of_day && can_have(&view, received);
            future::ready(Ok(can.then(|| TableFile::from(view))))
        });
        files.try_collect().await.map_err(|error| self.error(error))
    }
}

/// The UTC day of a time in microseconds.
fn day(micros: i64) -> String {
    let at = from_millis(micros.div_euclid(1000)).to_string();
    at.split('T').next().unwrap_or_default().to_owned()
}

/// All of a UTC day, `2026-03-01`, in microseconds since 1970; none where it is no day.
#[must_use]
pub fn received_on(day: &str) -> Option<Range<i64>> {
    let start = to_micros(&from_rfc3339(&format!("{day}T00:00:00Z"))?)?;
    Some(start..start.checked_add(86_400_000_000)?)
}

fn can_have(file: &LogicalFileView, received: &Range<i64>) -> bool {
    let bounds = file.stats().as_deref().and_then(bounds);
    bounds.is_none_or(|(min, max)| min < received.end && received.start <= max)
}

/// The first and the last time in microseconds that statistics tell; none where they tell none. They have milliseconds,
/// cut off.
fn bounds(statistics: &str) -> Option<(i64, i64)> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Statistics {
        min_values: Values,
        max_values: Values,
    }
    #[derive(Deserialize)]
    struct Values {
        received_at: String,
    }
    let told: Statistics = serde_json::from_str(statistics).ok()?;
    let micros = |text: &str| to_micros(&from_rfc3339(text)?);
    Some((micros(&told.min_values.received_at)?, micros(&told.max_values.received_at)?.checked_add(999)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_those_of_the_time_of_acceptance() {
        let told = |min: &str, max: &str| {
            bounds(&format!(
                r#"{{"numRecords":2,"minValues":{{"id":"a","received_at":"{min}"}},"maxValues":{{"received_at":"{max}"}}}}"#
            ))
        };
        let (min, max) = (1_772_323_200_000_000, 1_772_323_201_500_000);
        assert_eq!(told("2026-03-01T00:00:00.000Z", "2026-03-01T00:00:01.500Z"), Some((min, max + 999)));
        assert_eq!(told("2026-03-01T01:00:00+01:00", "2026-03-01T00:00:01.5Z"), Some((min, max + 999)));
        assert_eq!(told("yesterday", "2026-03-01T00:00:01.500Z"), None);
        for nothing in ["", "{}", r#"{"numRecords":2}"#, r#"{"minValues":{"id":"a"},"maxValues":{"id":"b"}}"#] {
            assert_eq!(bounds(nothing), None, "{nothing}");
        }
    }

    #[test]
    fn days_are_those_of_utc() {
        assert_eq!(received_on("1970-01-02"), Some(86_400_000_000..172_800_000_000));
        assert_eq!(received_on("today"), None);
        assert_eq!([day(0), day(-1), day(86_400_000_000)], ["1970-01-01", "1969-12-31", "1970-01-02"]);
    }
}
