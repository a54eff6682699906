//! Loading and printing.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use super::error::{Error, What};
use super::fault::{Fault, SettingsError};
use super::kinds;
use super::layers::{DEFAULTS, Layers, VARIABLE};
use super::stray;
use super::tree::Node;
use super::{Problem, Settings};

/// A file with settings is some kilobytes; what is far larger is another file.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// More faults than anybody reads.
const MAX_FAULTS: usize = 50;
/// The folder of `{data.dir}`.
const DATA_DIR: [&str; 2] = ["data", "dir"];

/// Loads settings: `defaults` (TOML texts), then `file`, then `WEIR__SECTION__KEY` of `env`. Where a default has
/// `{data.dir}` in it, there stands what `[data] dir` is in the end. A variable with the words of a setting and other
/// underscores is refused, since whoever set it would be left with the default.
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
        layers.add_toml(DEFAULTS, false, text);
    }
    // What is wrong in a later layer gives way to this one, so that the search for faults can go on.
    let mut fallback = merge(&layers)?;
    if let Some(path) = file {
        match read(path) {
            Ok(text) => layers.add_toml(&path.display().to_string(), true, &text),
            Err(fault) => layers.faults.push(fault),
        }
    }
    let env: Vec<(String, String)> = env.into_iter().collect();
    layers.faults.extend(env.iter().filter_map(|(variable, _)| stray::fault(variable, &fallback)));
    layers.add_environment(env);
    let mut tree = merge(&layers)?;
    if let Some(dir) = tree.text(&DATA_DIR).or(fallback.text(&DATA_DIR)).map(str::to_owned) {
        fallback.place(&dir);
        tree.place(&dir);
    }

    let mut faults = layers.faults;
    while faults.len() < MAX_FAULTS {
        let settings: Result<S, Error> = serde::Deserialize::deserialize(tree.clone());
        let error = match settings {
            // Of a file that cannot be read nobody knows what would be wrong with the rest.
            Ok(_) if faults.iter().any(|fault| fault.key.is_empty()) => break,
            Ok(settings) => {
                // A problem with what stands in for a value that could not be read is told when that one can be.
                let told = |fault: &Fault| faults.iter().any(|known| known.key == fault.key);
                let found: Vec<_> = problems(&settings, &tree).into_iter().filter(|fault| !told(fault)).collect();
                faults.extend(found);
                return if faults.is_empty() { Ok(settings) } else { Err(SettingsError { faults }) };
            }
            Err(error) => error,
        };
        let path = error.path();
        let is_unknown = matches!(error.what, What::Unknown(_));
        let repair = if is_unknown { None } else { fallback.get(&path).cloned() };
        let mut fault = error.into_fault();
        let variable = fault.origin.as_deref().and_then(|origin| origin.strip_prefix(VARIABLE)).filter(|_| is_unknown);
        if let Some(right) = variable.and_then(|variable| stray::right_name(variable, &fallback)) {
            fault.fix = format!("did you mean {right}?");
        }
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
            problem: format!("the settings cannot be merged: {error}"),
            fix: "check the file and the variables that begin with WEIR__".to_owned(),
        }],
    })
}

/// What is wrong with settings whose values have the right types.
fn problems<S: Settings>(settings: &S, tree: &Node) -> Vec<Fault> {
    let mut problems: Vec<Problem> = settings.host().validate();
    problems.extend(settings.validate());
    for problem in kinds::values(settings) {
        // Who knows the setting says more of it.
        if !problems.iter().any(|known| known.key == problem.key) {
            problems.push(problem);
        }
    }
    let fault =
        |Problem { key, problem, fix }| Fault { origin: tree.origin_of(&key).map(str::to_owned), key, problem, fix };
    problems.into_iter().map(fault).collect()
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
pub(super) mod tests;

#[cfg(test)]
#[path = "load_errors_tests.rs"]
mod errors_tests;

#[cfg(test)]
#[path = "names_tests.rs"]
mod names_tests;

#[cfg(test)]
#[path = "stray_tests.rs"]
mod stray_tests;

#[cfg(test)]
#[path = "told_tests.rs"]
mod told_tests;
