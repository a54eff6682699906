//! JSON numbers by their value: one can be written in many ways, as `1e-5`, `1E-05` and `0.00001`.

use serde_json::Value;

/// How many zeros are written out at most where a number has an exponent: a longer one stays an exponent, so that a short
/// text cannot become a long one.
const ZEROS: i64 = 21;

/// A number in the one form that all texts of its value have: without an exponent, a sign of zero, and zeros that say
/// nothing. With an exponent only where more than 21 zeros would have to be written out.
///
/// It goes by the text alone, so no digit is lost. What is no JSON number, or has an exponent beyond 64 bits, comes back
/// as it is.
pub fn by_value(text: &str) -> String {
    parts(text).map_or_else(|| text.to_owned(), |parts| parts.text())
}

/// The JSON text of `value` with sorted members and numbers by their value, without white space: one text for all JSON that
/// says the same.
pub fn canonical_by_value(value: &Value) -> String {
    let mut text = String::new();
    write(value, &mut text);
    text
}

fn write(value: &Value, text: &mut String) {
    match value {
        // Most are whole, and in the one form already.
        Value::Number(number) if number.as_i64().is_some_and(|whole| whole != 0) => text.push_str(number.as_str()),
        Value::Number(number) => text.push_str(&by_value(number.as_str())),
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(members) => {
            text.push('{');
            for (index, (key, item)) in members.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(key.as_str()).to_string());
                text.push(':');
                write(item, text);
            }
            text.push('}');
        }
        // As infallible as `canonical`.
        Value::Null | Value::Bool(_) | Value::String(_) => text.push_str(&value.to_string()),
    }
}

/// 0.`digits` × 10^`point`; no digits are zero.
struct Parts {
    negative: bool,
    /// Neither the first nor the last is a zero.
    digits: String,
    point: i64,
}

fn parts(text: &str) -> Option<Parts> {
    let (negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = match rest.split_once(['e', 'E']) {
        None => (rest, 0),
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = [whole, fraction].concat();
    let significant = digits.trim_start_matches('0');
    let leading = digits.len() - significant.len();
    let before = i64::try_from(whole.len()).ok()? - i64::try_from(leading).ok()?;
    let digits = significant.trim_end_matches('0').to_owned();
    Some(Parts { negative, digits, point: before.checked_add(exponent)? })
}

impl Parts {
    fn text(&self) -> String {
        let Self { negative, digits, point } = self;
        if digits.is_empty() {
            return "0".to_owned();
        }
        // A text is far shorter than this.
        let length = i64::try_from(digits.len()).unwrap_or(i64::MAX);
        let sign = if *negative { "-" } else { "" };
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or_default());
        if (-ZEROS..=0).contains(point) {
            return format!("{sign}0.{}{digits}", zeros(-point));
        }
        if (length..=length.saturating_add(ZEROS)).contains(point) {
            return format!("{sign}{digits}{}", zeros(point - length));
        }
        match usize::try_from(*point).ok().and_then(|point| digits.split_at_checked(point)) {
            Some((whole, fraction)) => format!("{sign}{whole}.{fraction}"),
            None => format!("{sign}{digits}e{}", i128::from(*point) - i128::from(length)),
        }
    }
}

#[cfg(test)]
#[path = "number_tests.rs"]
mod tests;
