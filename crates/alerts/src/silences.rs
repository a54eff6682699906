//! The file of silences and acknowledgements.

use common::time::{from_rfc3339, to_millis};
use serde::Deserialize;

use crate::alert::Class;
use crate::calendar::{Acknowledgement, Silence};
use crate::matcher::Matcher;

/// As it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    silences: Vec<WrittenSilence>,
    #[serde(default)]
    acknowledgements: Vec<WrittenAcknowledgement>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenSilence {
    #[serde(default)]
    stages: Vec<String>,
    #[serde(default)]
    checks: Vec<String>,
    #[serde(default)]
    classes: Vec<Class>,
    from: Option<String>,
    until: String,
    author: String,
    comment: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenAcknowledgement {
    #[serde(default)]
    stages: Vec<String>,
    #[serde(default)]
    checks: Vec<String>,
    at: String,
    by: String,
}

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Silences {
    /// What nobody is told of for a time.
    pub silences: Vec<Silence>,
    /// What somebody is at.
    pub acknowledgements: Vec<Acknowledgement>,
}

/// Reads the text of the file.
///
/// # Errors
/// It is not as it should be; the message says where.
pub fn read(text: &str, now_ms: i64) -> Result<Silences, String> {
    let line = |at: usize| text.get(..at).unwrap_or_default().matches('\n').count() + 1;
    let written: Written = toml::from_str(text).map_err(|error| match error.span() {
        Some(span) => format!("line {}: {}", line(span.start), error.message()),
        None => error.message().to_owned(),
    })?;
    let mut silences = Silences::default();
    for (n, one) in written.silences.into_iter().enumerate() {
        let at = |key: &str, text: &str| moment(text).map_err(|problem| format!("silences[{n}].{key}: {problem}"));
        let from_ms = one.from.as_deref().map_or(Ok(i64::MIN), |from| at("from", from))?;
        let until_ms = at("until", &one.until)?;
        if one.author.trim().is_empty() || one.comment.trim().is_empty() {
            return Err(format!("silences[{n}]: author or comment is empty; say who silenced it, and why"));
        }
        let about = Matcher { stages: one.stages, checks: one.checks, classes: one.classes };
        silences.silences.push(Silence { about, from_ms, until_ms, author: one.author, comment: one.comment });
    }
    for (n, one) in written.acknowledgements.into_iter().enumerate() {
        let about = Matcher { stages: one.stages, checks: one.checks, classes: Vec::new() };
        let at_ms = moment(&one.at).map_err(|problem| format!("acknowledgements[{n}].at: {problem}"))?;
        if at_ms > now_ms {
            return Err(format!(
                "acknowledgements[{n}].at: {:?} is in the future; nobody is at what has not begun",
                one.at
            ));
        }
        if about.takes_all() {
            return Err(format!("acknowledgements[{n}]: it is about everything; name stages or checks"));
        }
        silences.acknowledgements.push(Acknowledgement { about, at_ms, by: one.by });
    }
    Ok(silences)
}

/// A time with its offset, in milliseconds since 1970.
pub(crate) fn moment(text: &str) -> Result<i64, String> {
    let time =
        from_rfc3339(text).ok_or_else(|| format!("{text:?} is not a time; write it as 2026-01-05T09:00:00+01:00"))?;
    Ok(to_millis(&time))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_who_silenced_what_until_when_and_who_is_at_it() {
        let text = "[[silences]]\nchecks = [\"lag\"]\nuntil = \"1970-01-01T01:00:00+01:00\"\nauthor = \"ana\"\ncomment = \"known\"\n\
                    [[acknowledgements]]\nstages = [\"loader\"]\nat = \"1970-01-01T00:00:01Z\"\nby = \"ben\"\n";
        let found = read(text, 1000).unwrap();
        assert_eq!((found.silences[0].from_ms, found.silences[0].until_ms), (i64::MIN, 0));
        assert_eq!(found.silences[0].about.checks, ["lag"]);
        assert_eq!((found.acknowledgements[0].at_ms, found.acknowledgements[0].by.as_str()), (1000, "ben"));
        assert_eq!(read("", 0).unwrap(), Silences::default());
    }

    #[test]
    fn what_is_wrong_says_where() {
        for (text, says) in [
            ("silences = 1", "line 1: "),
            ("silences = 1", "expected a sequence"),
            ("\n[[silences]]\nuntil = tomorrow", "line 3: "),
            (
                "[[acknowledgements]]\nchecks = [\"lag\"]\nat = \"2026-01-01T00:00:01Z\"\nby = \"a\"",
                "acknowledgements[0].at: \"2026-01-01T00:00:01Z\" is in the future",
            ),
            ("[[silences]]\nauthor = \"a\"\ncomment = \"b\"", "missing field `until`"),
            (
                "[[silences]]\nuntil = \"tomorrow\"\nauthor = \"a\"\ncomment = \"b\"",
                "silences[0].until: \"tomorrow\" is not a time",
            ),
            (
                "[[silences]]\nuntil = \"2026-01-01T00:00:00Z\"\nauthor = \"a\"\ncomment = \" \"",
                "say who silenced it, and why",
            ),
            ("[[acknowledgements]]\nat = \"2026-01-01T00:00:00Z\"\nby = \"a\"", "it is about everything"),
        ] {
            let error = read(text, 1_767_225_600_000).unwrap_err();
            assert!(error.contains(says), "{error}");
        }
    }
}
