//! Certificates for tests, made by the `openssl` program: an authority of one's own, and what it issues.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};

use crate::clock;
use crate::environment::find_program;
use crate::scratch::Scratch;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// An authority that only the test knows. Its files go with the last clone.
#[derive(Clone, Debug)]
pub struct Authority {
    /// Its certificate, PEM.
    pub root: PathBuf,
    key: PathBuf,
    folder: Arc<Scratch>,
}

/// A certificate and its key.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The certificate, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM.
    pub key: PathBuf,
    /// Both in one file, key first.
    pub both: PathBuf,
    _folder: Arc<Scratch>,
}

impl Authority {
    /// A new one.
    ///
    /// # Errors
    /// `openssl` is missing or fails.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let folder = Arc::new(Scratch::new("certificates")?);
        let (root, key) = (folder.path().join("root.pem"), folder.path().join("root.key"));
        let subject = format!("/CN={name}");
        let mut command = openssl()?;
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc", "-days", "2"]);
        command.args(["-subj", &subject, "-addext", "basicConstraints=critical,CA:TRUE"]);
        command.args(["-addext", "keyUsage=critical,keyCertSign,cRLSign"]);
        command.arg("-keyout").arg(&key).arg("-out").arg(&root);
        run(command)?;
        Ok(Self { root, key, folder })
    }

    /// A certificate with this common name, for servers and clients. `names` are its other names, as "DNS:localhost" or
    /// "IP:127.0.0.1".
    ///
    /// # Errors
    /// `openssl` fails.
    pub fn issue(&self, common_name: &str, names: &[&str]) -> anyhow::Result<Certificate> {
        self.issue_by(openssl()?, 2, common_name, names)
    }

    /// The same, and it ends after so many days.
    ///
    /// # Errors
    /// `openssl` fails.
    pub fn issue_for_days(&self, days: u32, common_name: &str, names: &[&str]) -> anyhow::Result<Certificate> {
        self.issue_by(openssl()?, days, common_name, names)
    }

    /// The same, and it ends so soon: less than a day. `openssl` has an earlier [clock] for that.
    ///
    /// # Errors
    /// `openssl` fails, or the clock cannot be set.
    pub fn issue_for(&self, left: Duration, common_name: &str, names: &[&str]) -> anyhow::Result<Certificate> {
        let earlier = self.folder.path().join(format!("clock-{}", number()));
        clock::set(&earlier, &format!("-{}s", DAY.saturating_sub(left).as_secs()))?;
        let mut command = openssl()?;
        command.envs(clock::preload(&earlier)?);
        self.issue_by(command, 1, common_name, names)
    }

    fn issue_by(
        &self,
        mut command: Command,
        days: u32,
        common_name: &str,
        names: &[&str],
    ) -> anyhow::Result<Certificate> {
        let file = format!("{common_name}-{}", number());
        let at = |ending: &str| self.folder.path().join(format!("{file}.{ending}"));
        let (certificate, key, both) = (at("pem"), at("key"), at("both.pem"));
        command.args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-noenc"]);
        command.args(["-days", &days.to_string()]);
        command.args(["-subj", &format!("/CN={common_name}"), "-addext", "basicConstraints=critical,CA:FALSE"]);
        command.args(["-addext", "extendedKeyUsage=serverAuth,clientAuth"]);
        if !names.is_empty() {
            command.args(["-addext", &format!("subjectAltName={}", names.join(","))]);
        }
        command.arg("-CA").arg(&self.root).arg("-CAkey").arg(&self.key);
        command.arg("-keyout").arg(&key).arg("-out").arg(&certificate);
        run(command)?;
        std::fs::write(&both, [read(&key)?, read(&certificate)?].concat())?;
        Ok(Certificate { certificate, key, both, _folder: Arc::clone(&self.folder) })
    }
}

fn number() -> u32 {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    COUNT.fetch_add(1, Ordering::Relaxed)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("read {}", path.display()))
}

fn openssl() -> anyhow::Result<Command> {
    let program = find_program("openssl", &[]).context("openssl is not on PATH: install openssl (`make deps`)")?;
    Ok(Command::new(program))
}

fn run(mut command: Command) -> anyhow::Result<()> {
    let output = command.output().context("start openssl")?;
    if !output.status.success() {
        bail!("openssl failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
