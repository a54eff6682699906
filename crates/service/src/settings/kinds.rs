//! What is wrong with the settings of each kind. A field says its kind itself, see [`common::kinds`].

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use common::kinds::{Kind, NotWalked, Setting, settings_of};
use serde::Serialize;
use toml::{Table, Value};

use super::Problem;
use crate::tls::{self, ServerTlsSettings};

/// Of a file with a password only its beginning is looked at.
const FIRST_LINE: u64 = 64 * 1024;

/// What is wrong with values of each kind, without looking at files.
pub(super) fn values<T: Serialize>(settings: &T) -> Vec<Problem> {
    let found = match settings_of(settings) {
        Ok(found) => found,
        Err(error) => return vec![not_walked(&error)],
    };
    let problem = |Setting { key, kind, value }| {
        let (problem, fix) = kind?.problem(&value)?;
        Some(Problem::new(key, problem, fix))
    };
    found.into_iter().filter_map(problem).collect()
}

/// What is wrong with the files that the settings name: for `--check-config`, before a service needs them.
pub(crate) fn files<T: Serialize>(settings: &T) -> Vec<Problem> {
    let found = match settings_of(settings) {
        Ok(found) => found,
        Err(error) => return vec![not_walked(&error)],
    };
    let named: Vec<_> = found.iter().filter(|setting| !setting.value.is_empty()).collect();
    let (mut problems, paired) = pairs(&named);
    let reads_sealed = Table::try_from(settings).is_ok_and(|table| reads_sealing_key(&table));
    for Setting { key, kind, value } in named {
        let (section, name) = key.rsplit_once('.').unwrap_or(("", key));
        let path = Path::new(value);
        let checked = match kind {
            _ if paired.contains(key.as_str()) => continue,
            Some(Kind::CaFile) if !path.is_dir() => tls::check_roots(section, name, path).map_err(of_tls),
            Some(Kind::CertificateFile) => tls::check_certificates(section, name, path).map_err(of_tls),
            Some(Kind::SecretFile) => check_readable(key, path, true),
            Some(Kind::SealingKeyFile) if reads_sealed => check_readable(key, path, false),
            Some(Kind::CaFile | Kind::KeyFile | Kind::File) => check_readable(key, path, false),
            _ => continue,
        };
        problems.extend(checked.err());
    }
    problems
}

/// Whether what has these settings reads the key, and does not make it.
fn reads_sealing_key(settings: &Table) -> bool {
    let registrations = settings.get("registrations");
    let makes = registrations.and_then(|it| it.get("create_key_file")).and_then(Value::as_bool).unwrap_or(false);
    !makes && (settings.contains_key("streaming") || registrations.is_some())
}

/// What is wrong with certificates and their keys, and the settings that were looked at for it. A key that is of the kind
/// of any file is not a part of it, as that of Kafka's client, which may be encrypted.
fn pairs<'a>(settings: &[&'a Setting]) -> (Vec<Problem>, HashSet<&'a str>) {
    let (mut problems, mut paired) = (Vec::new(), HashSet::new());
    let section = |setting: &'a Setting| setting.key.rsplit_once('.').map_or("", |(section, _)| section);
    for certificate in settings.iter().filter(|setting| setting.kind == Some(Kind::CertificateFile)) {
        let goes_with =
            |other: &&&'a Setting| other.kind == Some(Kind::KeyFile) && section(other) == section(certificate);
        let Some(key) = settings.iter().find(goes_with) else { continue };
        paired.extend([certificate.key.as_str(), key.key.as_str()]);
        let [certificate_file, key_file] = [certificate, key].map(|setting| PathBuf::from(&setting.value));
        let server = ServerTlsSettings { certificate_file, key_file };
        problems.extend(tls::check_pair(section(certificate), &server).map_err(of_tls).err());
    }
    (problems, paired)
}

fn not_walked(error: &NotWalked) -> Problem {
    Problem::new("settings", error.to_string(), "this is a bug: report it")
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
            Err(wrong(format!("cannot be read: {error}"), "name a file that exists and that this process may read"))
        }
        Ok(line) if has_line && line.as_deref().is_none_or(|line| line.trim().is_empty()) => {
            Err(wrong("has no secret in its first line".to_owned(), "write the secret into it"))
        }
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
#[path = "kinds_tests.rs"]
mod tests;
