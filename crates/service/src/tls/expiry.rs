//! When the certificates of one's own end. Whoever is shown one that has ended closes the connection, and says so to
//! nobody here.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio_util::sync::CancellationToken;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

use super::files::Pem;
use crate::health::State;
use crate::{Action, CheckHandle, CheckSpec, Health, clock};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// Time to have a new one made.
const WARN: Duration = Duration::from_secs(7 * 24 * 3600);
/// Files are read again so often: some kilobytes.
const EVERY: Duration = Duration::from_secs(30);

/// The files of one process, each with the setting that names it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Certificates {
    files: Arc<Mutex<BTreeMap<String, PathBuf>>>,
}

impl Certificates {
    /// One more; `setting` is what names it. An empty path is none.
    pub(crate) fn add(&self, setting: &str, file: &Path) {
        if !file.as_os_str().is_empty() {
            self.files.lock().unwrap_or_else(PoisonError::into_inner).insert(setting.to_owned(), file.to_owned());
        }
    }

    /// Looks at them until `stop`, and tells by the check `certificates` and by `weir_certificate_expires_seconds`.
    pub(crate) async fn watch(self, health: Health, stop: CancellationToken) {
        let mut check = None;
        let mut ticks = tokio::time::interval(EVERY);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            let files = self.files.lock().unwrap_or_else(PoisonError::into_inner).clone();
            if files.is_empty() {
                continue;
            }
            let Ok(found) = tokio::task::spawn_blocking(move || look(&files)).await else { continue };
            let check: &CheckHandle = check.get_or_insert_with(|| {
                let check = health.check(CheckSpec {
                    name: "certificates",
                    action: Action::Page,
                    gates_readiness: false,
                    unit: "days",
                    threshold: Some(WARN.as_secs_f64() / DAY.as_secs_f64()),
                });
                check.every(EVERY);
                check
            });
            tell(check, &found, clock::now());
        }
    }
}

/// When the certificate of a setting ends, or why that is not known.
type Found = (String, Result<SystemTime, String>);

fn look(files: &BTreeMap<String, PathBuf>) -> Vec<Found> {
    files.iter().map(|(setting, file)| (setting.clone(), ends(setting, file))).collect()
}

/// The first of those of the chain that ends.
fn ends(setting: &str, file: &Path) -> Result<SystemTime, String> {
    let (section, key) = setting.rsplit_once('.').unwrap_or(("", setting));
    let chain = Pem::read(section, key, file).and_then(|pem| pem.certificates()).map_err(|error| error.to_string())?;
    let mut first = None;
    for certificate in &chain {
        let certificate = Certificate::from_der(certificate).map_err(|error| {
            format!("the certificate in {} cannot be read: {error} (setting {setting})", file.display())
        })?;
        let end = certificate.tbs_certificate().validity().not_after.to_system_time();
        first = Some(first.map_or(end, |first: SystemTime| first.min(end)));
    }
    first.ok_or_else(|| format!("{} holds no certificate (setting {setting})", file.display()))
}

/// What the check says: that of the worst, and the least number of days.
fn judge(found: &[Found], now: SystemTime) -> (State, String, Option<f64>) {
    let mut worst = (State::Ok, "no certificate expires soon".to_owned());
    let mut least = None;
    for (setting, ends) in found {
        let (state, message) = match ends {
            Err(error) => (State::Warning, error.clone()),
            Ok(ends) => {
                let left = left(*ends, now);
                least = Some(f64::min(least.unwrap_or(f64::INFINITY), left / DAY.as_secs_f64()));
                let at = prost_types::Timestamp::from(*ends);
                match left {
                    left if left <= 0.0 => {
                        (State::Failing, format!("the certificate of {setting} expired at {at}: replace its file"))
                    }
                    left if left < WARN.as_secs_f64() => {
                        (State::Warning, format!("the certificate of {setting} expires at {at}: replace its file"))
                    }
                    _ => continue,
                }
            }
        };
        if worst.0 == State::Ok || (state == State::Failing && worst.0 == State::Warning) {
            worst = (state, message);
        }
    }
    (worst.0, worst.1, least)
}

/// Seconds; below 0 after its end.
fn left(ends: SystemTime, now: SystemTime) -> f64 {
    ends.duration_since(now).map_or_else(|past| -past.duration().as_secs_f64(), |left| left.as_secs_f64())
}

fn tell(check: &CheckHandle, found: &[Found], now: SystemTime) {
    for (setting, ends) in found {
        if let Ok(ends) = ends {
            let at = ends.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
            metrics::gauge!("weir_certificate_expires_seconds", "setting" => setting.clone()).set(at);
        }
    }
    let (state, message, least) = judge(found, now);
    if let Some(least) = least {
        check.value(least);
    }
    match state {
        State::Failing => check.fail(message),
        State::Warning => check.warn(message),
        _ => check.ok(message),
    }
}

#[cfg(test)]
#[path = "expiry_tests.rs"]
mod tests;
