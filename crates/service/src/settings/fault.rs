//! What is wrong with settings, as the reader of a message gets it.

use std::fmt;

/// A problem, and where the value was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The key with its section; empty where a whole source is at fault.
    pub key: String,
    /// `defaults`, a file with the line, or a variable of the environment; none where nothing sets it.
    pub origin: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub fix: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.key.as_str(), &self.origin) {
            ("", None) => {}
            ("", Some(origin)) => write!(f, "{origin}: ")?,
            (key, None) => write!(f, "{key}: ")?,
            (key, Some(origin)) => write!(f, "{key} ({origin}): ")?,
        }
        write!(f, "{}; {}", self.problem, self.fix)
    }
}

/// Everything that is wrong with the settings, one line for each.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SettingsError {
    /// Never empty.
    pub faults: Vec<Fault>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> = self.faults.iter().map(Fault::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}
