//! Which alerts something is about.

use serde::{Deserialize, Serialize};

use crate::alert::{Alert, Class};

/// Alerts by stage, check and class. What is empty takes all. A star stands for any text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matcher {
    /// Any of these.
    #[serde(default)]
    pub stages: Vec<String>,
    /// Any of these.
    #[serde(default)]
    pub checks: Vec<String>,
    /// Any of these.
    #[serde(default)]
    pub classes: Vec<Class>,
}

impl Matcher {
    /// Whether it is about this one.
    #[must_use]
    pub fn takes(&self, alert: &Alert) -> bool {
        let any = |patterns: &[String], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern.as_bytes(), text.as_bytes()))
        };
        any(&self.stages, &alert.stage)
            && any(&self.checks, &alert.check)
            && (self.classes.is_empty() || self.classes.contains(&alert.class))
    }

    /// Whether it is about everything.
    #[must_use]
    pub fn takes_all(&self) -> bool {
        self.stages.is_empty() && self.checks.is_empty() && self.classes.is_empty()
    }
}

/// With one way back, to the last star: never more than length times length steps.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t, mut star) = (0, 0, None);
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if *byte == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, from)) = star else { return false };
                star = Some((at, from + 1));
                p = at + 1;
                t = from + 1;
            }
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, is_so) in [
            ("lag", "lag", true),
            ("lag", "lags", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("*_log", "loader_log", true),
            ("*_log", "loader_logs", false),
            ("a*b*c", "a_b_b_c", true),
            ("a*b*c", "a_c_b", false),
            ("loader*", "loader", true),
            ("**x", "xx", true),
        ] {
            assert_eq!(matches(pattern.as_bytes(), text.as_bytes()), is_so, "{pattern} {text}");
        }
    }
}
