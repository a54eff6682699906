//! Settings of one kind are checked in one way, whichever crate they are of: the kind is told by the end of the name.
//!
//! | name | kind |
//! |---|---|
//! | `listen` | an address to listen on |
//! | `url`, `…_url`, `…_endpoint`, `addresses` | where a service is |
//! | `root`, `path`, `folder`, `…_dir`, `…_file` | a place in the file system |
//! | `…_file` | moreover a file that has to be there, for [`files`] |

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use http::Uri;
use toml::{Table, Value};

use super::{Problem, check_listen};
use crate::tls::{self, ServerTlsSettings};

/// Files that are made where they are missing.
const MADE: &[&str] = &["simulation.secrets_file"];
/// Of a file with a password only its beginning is looked at.
const FIRST_LINE: u64 = 64 * 1024;

/// What is wrong with values of each kind, without looking at files.
pub(super) fn values(settings: &Table) -> Vec<Problem> {
    let mut problems = Vec::new();
    walk("", settings, &mut |key, name, value| problems.extend(value_of(key, name, value)));
    problems
}

/// Each text, and each text of a list, with its whole key and its name.
fn walk(section: &str, table: &Table, visit: &mut dyn FnMut(&str, &str, &str)) {
    for (name, value) in table {
        let key = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
        match value {
            Value::String(text) => visit(&key, name, text),
            Value::Table(table) => walk(&key, table, visit),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    match item {
                        Value::String(text) => visit(&key, name, text),
                        Value::Table(table) => walk(&format!("{key}[{index}]"), table, visit),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
}

fn value_of(key: &str, name: &str, value: &str) -> Option<Problem> {
    if name == "listen" {
        return check_listen(key, value);
    }
    // What may be empty is for each setting to say.
    if value.is_empty() {
        return None;
    }
    if name == "url" || name.ends_with("_url") || name.ends_with("_endpoint") || name == "addresses" {
        return check_url(key, value);
    }
    let is_place = matches!(name, "root" | "path" | "folder") || name.ends_with("_dir") || name.ends_with("_file");
    if is_place && value.starts_with('~') {
        let problem = format!("{value:?} begins with ~, which only a shell understands");
        return Some(Problem::new(key, problem, "write the whole path, as /home/weir/lake"));
    }
    if is_place && name != "root" && value.contains("://") {
        let problem = format!("{value:?} is a URL, and not a path");
        return Some(Problem::new(key, problem, "name a file or folder of this machine"));
    }
    None
}

/// Where a service is. A name without scheme stands for a service of ours, and is checked by who knows it.
fn check_url(key: &str, value: &str) -> Option<Problem> {
    let (scheme, rest) = value.split_once("://")?;
    if scheme.ends_with("unix") {
        return None;
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_port = authority.rsplit_once('@').map_or(authority, |(_, host_port)| host_port);
    let problem = if value.contains(char::is_whitespace) {
        "has a blank in it"
    } else if host_port.is_empty() || host_port.starts_with(':') {
        "names no host"
    } else if host_port.rsplit_once(':').is_some_and(|(host, port)| {
        let is_port = port.parse::<u16>().is_ok_and(|port| port > 0);
        // The last colon of an address of IPv6 without a port is within the brackets.
        let is_within = host.starts_with('[') && port.ends_with(']');
        !(is_port || is_within)
    }) {
        "has a port that is none"
    } else if scheme.starts_with("http") && value.parse::<Uri>().is_err() {
        "is no URL"
    } else {
        return None;
    };
    // There may be a password in it.
    Some(Problem::new(key, format!("the URL with {scheme}:// {problem}"), format!("write {scheme}://host:port")))
}

/// What is wrong with the files that the settings name: for `--check-config`, before a service needs them.
pub(crate) fn files(settings: &Table) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut seen = HashSet::new();
    pairs("", settings, &mut problems, &mut seen);
    walk("", settings, &mut |key, name, path| {
        if path.is_empty() || !name.ends_with("_file") || seen.contains(key) || is_made(settings, key) {
            return;
        }
        let (section, path) = (key.strip_suffix(name).unwrap_or_default().trim_end_matches('.'), Path::new(path));
        let checked = if name.ends_with("ca_file") && !path.is_dir() {
            tls::check_roots(section, name, path).map_err(of_tls)
        } else if name.ends_with("certificate_file") {
            tls::check_certificates(section, name, path).map_err(of_tls)
        } else {
            check_readable(key, path, name.contains("password") || name.contains("secret"))
        };
        problems.extend(checked.err());
    });
    problems
}

/// Whether a service makes the file, or is none of those that read it.
fn is_made(settings: &Table, key: &str) -> bool {
    let has = |section: &str| settings.contains_key(section);
    let registrations = settings.get("registrations");
    let makes = registrations.and_then(|it| it.get("create_key_file")).and_then(Value::as_bool).unwrap_or(false);
    MADE.contains(&key) || (key == "secrets.key_file" && (makes || !(has("streaming") || has("registrations"))))
}

/// Certificates with their keys. Kafka's client reads its own, whose key may be encrypted.
fn pairs(section: &str, table: &Table, problems: &mut Vec<Problem>, seen: &mut HashSet<String>) {
    let text = |name: &str| table.get(name).and_then(Value::as_str).filter(|path| !path.is_empty()).map(PathBuf::from);
    if let (Some(certificate_file), Some(key_file)) = (text("certificate_file"), text("key_file"))
        && section != "bus.kafka"
    {
        seen.extend(["certificate_file", "key_file"].map(|name| format!("{section}.{name}")));
        let server = ServerTlsSettings { certificate_file, key_file };
        problems.extend(tls::check_pair(section, &server).map_err(of_tls).err());
    }
    for (name, value) in table {
        if let Value::Table(table) = value {
            let inner = if section.is_empty() { name.clone() } else { format!("{section}.{name}") };
            pairs(&inner, table, problems, seen);
        }
    }
}

fn of_tls(error: tls::Error) -> Problem {
    let (problem, fix) = error.problem.rsplit_once("; ").unwrap_or((&error.problem, "name another file"));
    Problem::new(error.setting.clone(), problem, fix)
}

fn check_readable(key: &str, path: &Path, has_line: bool) -> Result<(), Problem> {
    let wrong = |problem: String, fix: &str| Problem::new(key, format!("the file {} {problem}", path.display()), fix);
    let look = || -> io::Result<Option<String>> {
        let file = File::open(path)?;
        let mut lines = BufReader::new(file.take(FIRST_LINE)).lines();
        lines.next().transpose()
    };
    match look() {
        Err(error) => {
            Err(wrong(format!("cannot be read: {error}"), "name a file that is there and that this process may read"))
        }
        Ok(line) if has_line && line.as_deref().is_none_or(|line| line.trim().is_empty()) => {
            Err(wrong("has no first line".to_owned(), "put the secret there"))
        }
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
#[path = "kinds_tests.rs"]
mod tests;
