//! Loading and printing.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::error::What;
use super::kinds;
use super::layers::Layers;
use super::tree::Node;
use super::{HostSettings, Settings};

/// A file with settings is some kilobytes; what is far larger is another file.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// More faults than anybody reads.
const MAX_FAULTS: usize = 50;

/// One thing that [`Settings::validate`] finds wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key with its section: `bus.kafka.brokers`.
    pub key: String,
    /// What is wrong, with the value where it is no secret: `"localhost" has no port`.
    pub problem: String,
    /// What to do: `write host:port, for example localhost:9092`.
    pub fix: String,
}

impl Problem {
    /// A problem of a key.
    pub fn new(key: impl Into<String>, problem: impl Into<String>, fix: impl Into<String>) -> Problem {
        Problem { key: key.into(), problem: problem.into(), fix: fix.into() }
    }
}

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

/// Loads settings: `defaults` (TOML texts), then `file`, then `WEIR__SECTION__KEY` of `env`.
///
/// # Errors
/// Every problem that can be told, each with its key, where it was set, and the fix.
pub fn load<S: Settings>(
    defaults: &[&str],
    file: Option<&Path>,
    env: impl IntoIterator<Item = (String, String)>,
) -> Result<S, SettingsError> {
    let mut layers = Layers::default();
    for text in defaults {
        layers.add_toml("defaults", false, text);
    }
    // What is wrong in a later layer gives way to this one, so that the search for faults can go on.
    let fallback = merge(&layers)?;
    if let Some(path) = file {
        match read(path) {
            Ok(text) => layers.add_toml(&path.display().to_string(), true, &text),
            Err(fault) => layers.faults.push(fault),
        }
    }
    layers.add_environment(env);
    let mut tree = merge(&layers)?;

    let mut faults = layers.faults;
    while faults.len() < MAX_FAULTS {
        let error = match serde::Deserialize::deserialize(tree.clone()) {
            Ok(settings) if faults.is_empty() => return checked(settings, &tree),
            Ok(_) => break,
            Err(error) => error,
        };
        let error: super::error::Error = error;
        let path = error.path();
        let repair = match error.what {
            What::Unknown(_) => None,
            What::Missing => fallback.get(&path).cloned(),
            What::Value { .. } => fallback.get(&path).cloned(),
        };
        let fault = error.into_fault();
        if !faults.iter().any(|known| known.key == fault.key) {
            faults.push(fault);
        }
        if !tree.replace(&path, repair) {
            break;
        }
    }
    Err(SettingsError { faults })
}

fn merge(layers: &Layers) -> Result<Node, SettingsError> {
    layers.merge().map(Node::table).map_err(|error| SettingsError {
        faults: vec![Fault {
            key: String::new(),
            origin: None,
            problem: format!("the settings cannot be put together: {error}"),
            fix: "check the file and the variables that begin with WEIR__".to_owned(),
        }],
    })
}

fn checked<S: Settings>(settings: S, tree: &Node) -> Result<S, SettingsError> {
    let host: HostSettings = settings.host();
    let mut problems: Vec<Problem> = host.validate().into_iter().chain(settings.validate()).collect();
    for problem in kinds::values(&settings) {
        // Who knows the setting says more of it.
        if !problems.iter().any(|known| known.key == problem.key) {
            problems.push(problem);
        }
    }
    let faults: Vec<Fault> = problems
        .into_iter()
        .map(|Problem { key, problem, fix }| Fault {
            origin: tree.origin_of(&key).map(str::to_owned),
            key,
            problem,
            fix,
        })
        .collect();
    if faults.is_empty() { Ok(settings) } else { Err(SettingsError { faults }) }
}

/// What is wrong with the files that settings name.
///
/// # Errors
/// Every file that is not there or cannot be used, each with its key and the fix.
pub(crate) fn check_files<S: Settings>(settings: &S) -> Result<(), SettingsError> {
    let faults: Vec<Fault> = kinds::files(settings)
        .into_iter()
        .map(|Problem { key, problem, fix }| Fault { key, origin: None, problem, fix })
        .collect();
    if faults.is_empty() { Ok(()) } else { Err(SettingsError { faults }) }
}

fn read(path: &Path) -> Result<String, Fault> {
    let fault = |problem: String, fix: &str| Fault {
        key: String::new(),
        origin: Some(path.display().to_string()),
        problem,
        fix: fix.to_owned(),
    };
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes))
        .map_err(|error| fault(format!("cannot read the file: {error}"), "name a file with settings after --config"))?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(fault("the file is larger than 1 MiB".to_owned(), "name a file with settings after --config"));
    }
    String::from_utf8(bytes).map_err(|_| fault("the file is not UTF-8".to_owned(), "save it as UTF-8"))
}

/// The settings in effect as TOML, secrets hidden.
pub fn print<S: Settings>(settings: &S) -> String {
    match toml::to_string_pretty(settings) {
        Ok(text) => text,
        Err(error) => format!("# the settings cannot be written as TOML: {error}\n"),
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "names_tests.rs"]
mod names_tests;
