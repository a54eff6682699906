use serde::de::IntoDeserializer;
use serde::de::value::Error;

use super::*;

/// What a text, or a bare number, is read as.
fn read(range: Bounds, text: &str) -> Result<u64, String> {
    let deserializer = text.into_deserializer();
    <u64 as Number>::read(range, deserializer).map_err(|error: Error| error.to_string())
}

const fn range(unit: Unit, least: u64, most: u64) -> Bounds {
    Bounds { unit, least, most }
}

const TIME: Bounds = range(Unit::Milliseconds, 100, DAY);
const SIZE: Bounds = range(Unit::Bytes, 1024, GIB);

#[test]
fn times_and_sizes_are_read_with_a_unit_or_as_the_number_of_today() {
    for (range, text, value) in [
        (TIME, "5000", 5000),
        (TIME, "5s", 5000),
        (TIME, "250ms", 250),
        (TIME, "1m 30s", 90_000),
        (TIME, "1.5s", 1500),
        (TIME, " 1h ", 3_600_000),
        (TIME, "1d", DAY),
        (SIZE, "65536", 65_536),
        (SIZE, "64KiB", 65_536),
        (SIZE, "64 KiB", 65_536),
        (SIZE, "16kib", 16_384),
        (SIZE, "1.5MiB", 1_572_864),
        (SIZE, "1MB", 1_000_000),
        (SIZE, "1GiB", GIB),
        (range(Unit::Seconds, 1, MAX), "5m", 300),
        (range(Unit::Seconds, 1, MAX), "5", 5),
        (range(Unit::Days, 8, 3650), "8d", 8),
        (range(Unit::Days, 8, 3650), "192h", 8),
    ] {
        assert_eq!(read(range, text), Ok(value), "{text}");
    }
}

#[test]
fn what_does_not_fit_is_told_with_what_would() {
    let time = "a time with its unit, as \"10s\" or \"250ms\", or a whole number of milliseconds";
    let size = "a size with its unit, as \"64MiB\" or \"16KiB\", or a whole number of bytes";
    for (range, text, message) in [
        (TIME, "99ms", "99ms is out of range; give 100ms to 1d".to_owned()),
        (TIME, "99", "99ms is out of range; give 100ms to 1d".to_owned()),
        (TIME, "2d", "2d is out of range; give 100ms to 1d".to_owned()),
        (SIZE, "1", "1B is out of range; give 1KiB to 1GiB".to_owned()),
        (SIZE, "3GiB", "3GiB is out of range; give 1KiB to 1GiB".to_owned()),
        (range(Unit::Milliseconds, 1, MAX), "0", "0ms is out of range; give at least 1ms".to_owned()),
        // Where a text may stand for a number of things, who reads the environment has made it one.
        (
            range(Unit::Count, 1, 10),
            "7",
            "invalid value: string \"7\", expected a whole number from 1 to 10, without quotes".to_owned(),
        ),
        (TIME, "often", format!("invalid value: string \"often\", expected {time}")),
        (TIME, "-1s", format!("invalid value: string \"-1s\", expected {time}")),
        (TIME, "64MiB", format!("invalid value: string \"64MiB\", expected {time}")),
        (TIME, "1500us", format!("invalid value: string \"1500us\", expected {time}")),
        (TIME, "", format!("invalid value: string \"\", expected {time}")),
        (SIZE, "10s", format!("invalid value: string \"10s\", expected {size}")),
        (SIZE, "large", format!("invalid value: string \"large\", expected {size}")),
    ] {
        assert_eq!(read(range, text), Err(message), "{text}");
    }
    let many = <u64 as Number>::read(range(Unit::Count, 1, 10), IntoDeserializer::<Error>::into_deserializer(11_u64));
    assert_eq!(many.unwrap_err().to_string(), "11 is out of range; give 1 to 10");
    let negative = <u64 as Number>::read(TIME, IntoDeserializer::<Error>::into_deserializer(-1_i64));
    assert_eq!(negative.unwrap_err().to_string(), format!("invalid value: integer `-1`, expected {time}"));
}

#[derive(Debug, Serialize, Deserialize)]
struct All {
    #[serde(with = "Millis::<1, DAY>")]
    wait_ms: u32,
    #[serde(with = "Bytes::<1024, MAX>", default, skip_serializing_if = "Option::is_none")]
    limit_bytes: Option<usize>,
    #[serde(with = "Share::<10, 1000>")]
    share: f64,
    #[serde(with = "Seconds::<0, MAX>")]
    age_s: f64,
    any: u8,
}

#[test]
fn a_field_has_its_number_and_tells_its_range() {
    let text = "wait_ms = '1s'\nlimit_bytes = 2048\nshare = 0.5\nage_s = 0.25\nany = 1\n";
    let all: All = toml::from_str(text).unwrap();
    assert_eq!((all.wait_ms, all.limit_bytes), (1000, Some(2048)));
    let written = toml::to_string(&all).unwrap();
    assert_eq!(written, text.replace("'1s'", "1000"), "a number is written as it was before it had a unit");
    let ranges = crate::kinds::ranges_of(&all).unwrap();
    assert_eq!(
        ranges,
        [
            ("wait_ms".to_owned(), Some(range(Unit::Milliseconds, 1, DAY))),
            ("limit_bytes".to_owned(), Some(range(Unit::Bytes, 1024, MAX))),
            ("share".to_owned(), Some(range(Unit::Thousandths, 10, 1000))),
            ("age_s".to_owned(), Some(range(Unit::Seconds, 0, MAX))),
            ("any".to_owned(), None),
        ]
    );
    let without: All = toml::from_str("wait_ms = 1\nshare = 1\nage_s = '5m'\nany = 1").unwrap();
    assert!(without.limit_bytes.is_none() && (without.age_s - 300.0).abs() < f64::EPSILON);
    for wrong in ["wait_ms = 1\nshare = 0.001", "wait_ms = 4294967296\nshare = 1"] {
        let error = toml::from_str::<All>(&format!("{wrong}\nage_s = 1\nany = 1")).unwrap_err().to_string();
        assert!(error.contains("is out of range; give "), "{error}");
    }
}

#[test]
fn values_are_shown_in_the_largest_unit_that_fits() {
    for (unit, value, shown) in [
        (Unit::Milliseconds, 0, "0ms"),
        (Unit::Milliseconds, 3_700_000, "3700s"),
        (Unit::Milliseconds, 691_200_000, "8d"),
        (Unit::Seconds, 86_400, "1d"),
        (Unit::Bytes, 27_262_976, "26MiB"),
        (Unit::Bytes, 1000, "1000B"),
        (Unit::Count, 5, "5"),
        (Unit::Thousandths, 10, "0.01"),
        (Unit::Thousandths, 1000, "1"),
    ] {
        assert_eq!(unit.show(value), shown);
        if !matches!(unit, Unit::Count | Unit::Thousandths) {
            assert_eq!(unit.read(shown), Some(value), "what is shown can be written");
        }
    }
}
