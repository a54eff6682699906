//! Numbers of the settings: in which unit each is, and what it may be.
//!
//! A field says both: `#[serde(with = "Millis::<100, DAY>")] pub stalled_after_ms: u64`. What is outside the range is
//! refused where it is read. The name of a setting has the unit of a bare number (`stalled_after_ms = 60000`); a text
//! has its own (`"60s"`, `"1m"`). [`ranges_of`](crate::kinds::ranges_of) finds the ranges of any settings, for the
//! reference and the schema.

use std::fmt;
use std::marker::PhantomData;
use std::time::Duration;

use bytesize::ByteSize;
use serde::de::{self, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// No upper end.
pub const MAX: u64 = u64::MAX;
/// A day, in milliseconds.
pub const DAY: u64 = 86_400_000;
/// 2^20 bytes.
pub const MIB: u64 = 1 << 20;
/// 2^30 bytes.
pub const GIB: u64 = 1 << 30;

/// Marks a number for the walk of [`crate::kinds`].
pub(crate) const NUMBER: &str = "weir number";

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Unit {
    /// Things.
    Count,
    /// Time.
    Milliseconds,
    /// Time.
    Seconds,
    /// Time.
    Days,
    /// Size.
    Bytes,
    /// A share: 1000 is all.
    Thousandths,
}

/// A unit, and the least and the most in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Of both ends, and of a bare number.
    pub unit: Unit,
    /// May be given.
    pub least: u64,
    /// May be given; [`MAX`]: there is no upper end.
    pub most: u64,
}

impl Unit {
    /// Names for parts and multiples, the largest first.
    fn scale(self) -> &'static [(u64, &'static str)] {
        match self {
            Unit::Count | Unit::Thousandths => &[],
            Unit::Milliseconds => &[(DAY, "d"), (3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")],
            Unit::Seconds => &[(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")],
            Unit::Days => &[(1, "d")],
            Unit::Bytes => &[(1 << 40, "TiB"), (GIB, "GiB"), (MIB, "MiB"), (1 << 10, "KiB"), (1, "B")],
        }
    }

    /// A value as people write it, exactly.
    #[must_use]
    pub fn show(self, value: u64) -> String {
        if self == Unit::Thousandths {
            return (value as f64 / 1000.0).to_string();
        }
        let fits = |(factor, _): &&(u64, &str)| value.is_multiple_of(*factor) && (value > 0 || *factor == 1);
        self.scale()
            .iter()
            .find(fits)
            .map_or_else(|| value.to_string(), |(factor, name)| format!("{}{name}", value / factor))
    }

    /// A text as a value in this unit; none where it is not a whole number of it.
    fn read(self, text: &str) -> Option<u64> {
        let text = text.trim();
        let one = match self {
            Unit::Count | Unit::Thousandths => return None,
            // Takes a bare number too.
            Unit::Bytes => return text.parse::<ByteSize>().ok().map(|ByteSize(bytes)| bytes),
            Unit::Milliseconds => Duration::from_millis(1),
            Unit::Seconds => Duration::from_secs(1),
            Unit::Days => Duration::from_millis(DAY),
        };
        if let Ok(number) = text.parse() {
            return Some(number);
        }
        let (time, one) = (humantime::parse_duration(text).ok()?.as_nanos(), one.as_nanos());
        if time.is_multiple_of(one) { u64::try_from(time / one).ok() } else { None }
    }
}

impl fmt::Display for Bounds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let least = self.unit.show(self.least);
        match self.most {
            MAX => write!(f, "at least {least}"),
            most => write!(f, "{least} to {}", self.unit.show(most)),
        }
    }
}

impl Bounds {
    /// What can be written, without the ends where a unit has to be told too.
    fn expected(self) -> String {
        let of = |what: &str, example: &str, unit: &str| {
            format!("{what} with its unit, as {example}, or a whole number of {unit}")
        };
        match self.unit {
            Unit::Count if self.most == MAX => format!("a whole number from {} on, without quotes", self.least),
            Unit::Count | Unit::Thousandths => {
                let (least, most) = (self.unit.show(self.least), self.unit.show(self.most));
                format!("a whole number from {least} to {most}, without quotes")
            }
            Unit::Milliseconds => of("a time", "\"10s\" or \"250ms\"", "milliseconds"),
            Unit::Seconds => of("a time", "\"10s\" or \"5m\"", "seconds"),
            Unit::Days => of("a time", "\"8d\"", "days"),
            Unit::Bytes => of("a size", "\"64MiB\" or \"16KiB\"", "bytes"),
        }
    }

    fn write<T: Serialize, S: Serializer>(self, value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return value.serialize(serializer);
        }
        serializer.serialize_newtype_struct(NUMBER, &self)
    }
}

/// What a number of a range can be read as.
pub trait Number: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// It is no number, not in this unit, or out of the range.
    fn read<'de, D: Deserializer<'de>>(range: Bounds, deserializer: D) -> Result<Self, D::Error>;
}

struct Reader<T> {
    range: Bounds,
    whole: fn(u64) -> Option<T>,
    /// For those that take fractions of a unit.
    fraction: fn(f64) -> Option<T>,
}

impl<T> Reader<T> {
    fn read<'de, D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        match self.range.unit {
            // Has to be a number: what reads the environment knows when a text stands for one.
            Unit::Count => deserializer.deserialize_u64(self),
            _ => deserializer.deserialize_any(self),
        }
    }
}

impl<T> Visitor<'_> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.range.expected())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        let Bounds { unit, least, most } = self.range;
        let within = if (least..=most).contains(&value) { (self.whole)(value) } else { None };
        within.ok_or_else(|| E::custom(format!("{} is out of range; give {}", unit.show(value), self.range)))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        match u64::try_from(value) {
            Ok(value) => self.visit_u64(value),
            Err(_) => Err(E::invalid_value(Unexpected::Signed(value), &self)),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<T, E> {
        (self.fraction)(value).ok_or_else(|| E::invalid_value(Unexpected::Float(value), &self))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        if let Some(value) = self.range.unit.read(text) {
            return self.visit_u64(value);
        }
        let fraction = text.trim().parse::<f64>().ok().and_then(self.fraction);
        fraction.ok_or_else(|| E::invalid_value(Unexpected::Str(text), &self))
    }
}

macro_rules! whole_numbers {
    ($($type:ty),*) => {$(
        impl Number for $type {
            fn read<'de, D: Deserializer<'de>>(range: Bounds, deserializer: D) -> Result<Self, D::Error> {
                let whole = |value: u64| <$type>::try_from(value).ok();
                Reader { range, whole, fraction: |_| None }.read(deserializer)
            }
        }
    )*};
}

whole_numbers! { i32, u32, u64, usize }

impl Number for f64 {
    fn read<'de, D: Deserializer<'de>>(range: Bounds, deserializer: D) -> Result<Self, D::Error> {
        let fraction = |value: f64| (value.is_finite() && value >= 0.0).then_some(value);
        Reader { range, whole: |value| Some(value as f64), fraction }.read(deserializer)
    }
}

impl<T: Number> Number for Option<T> {
    fn read<'de, D: Deserializer<'de>>(range: Bounds, deserializer: D) -> Result<Self, D::Error> {
        struct Optional<T>(Bounds, PhantomData<T>);
        impl<'de, T: Number> Visitor<'de> for Optional<T> {
            type Value = Option<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0.expected())
            }

            fn visit_none<E: de::Error>(self) -> Result<Option<T>, E> {
                Ok(None)
            }

            fn visit_unit<E: de::Error>(self) -> Result<Option<T>, E> {
                Ok(None)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
                T::read(self.0, deserializer).map(Some)
            }
        }
        deserializer.deserialize_option(Optional(range, PhantomData))
    }
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident $unit:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub struct $name<const LEAST: u64, const MOST: u64>;

        impl<const LEAST: u64, const MOST: u64> $name<LEAST, MOST> {
            const RANGE: Bounds = Bounds { unit: Unit::$unit, least: LEAST, most: MOST };

            /// For `#[serde(with)]`.
            ///
            /// # Errors
            /// It is no number, not in this unit, or out of the range.
            pub fn deserialize<'de, T: Number, D: Deserializer<'de>>(deserializer: D) -> Result<T, D::Error> {
                T::read(Self::RANGE, deserializer)
            }

            /// For `#[serde(with)]`: the number as it is.
            ///
            /// # Errors
            /// Those of the serializer.
            pub fn serialize<T: Serialize, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
                Self::RANGE.write(value, serializer)
            }
        }
    )*};
}

fields! {
    /// A number of things: `batch = 200`.
    Count Count,
    /// A time: `"250ms"`, `"10s"`, or a number of milliseconds.
    Millis Milliseconds,
    /// A time: `"10s"`, `"5m"`, or a number of seconds.
    Seconds Seconds,
    /// A time: `"8d"`, or a number of days.
    Days Days,
    /// A size: `"64MiB"`, or a number of bytes.
    Bytes Bytes,
}

/// A share, both ends in thousandths: `Share::<0, 1000>` is 0.0 to 1.0.
#[derive(Debug)]
pub struct Share<const LEAST: u64, const MOST: u64>;

impl<const LEAST: u64, const MOST: u64> Share<LEAST, MOST> {
    const RANGE: Bounds = Bounds { unit: Unit::Thousandths, least: LEAST, most: MOST };

    /// For `#[serde(with)]`.
    ///
    /// # Errors
    /// It is no number, or out of the range.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        let value = f64::deserialize(deserializer)?;
        let within = (LEAST as f64..=MOST as f64).contains(&(value * 1000.0));
        if within {
            Ok(value)
        } else {
            Err(de::Error::custom(format!("{value} is out of range; give {}", Self::RANGE)))
        }
    }

    /// For `#[serde(with)]`: the number as it is.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        Self::RANGE.write(value, serializer)
    }
}

#[cfg(test)]
#[path = "units_tests.rs"]
mod tests;
