//! What Prometheus itself says of a page of metrics, and of rules. `scripts/install.sh test` unpacks its tools into `target/prometheus`; no
//! server is installed.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, bail};

/// The program.
///
/// # Errors
/// It is not there.
pub fn program() -> anyhow::Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/prometheus/usr/bin/promtool");
    if !path.exists() {
        bail!("{} is not there: make it with scripts/install.sh test", path.display());
    }
    Ok(path)
}

/// Prometheus can read the page, and its rules for names and texts find nothing.
///
/// # Errors
/// It cannot, or they do; then with each finding.
pub fn check_metrics(page: &str) -> anyhow::Result<()> {
    let mut command = Command::new(program()?);
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut checking = command.spawn().context("run promtool")?;
    // It reads all of it before it says anything, and closes its end.
    checking.stdin.take().context("its input")?.write_all(page.as_bytes()).context("give the page to promtool")?;
    said("check metrics", &checking.wait_with_output()?)
}

/// Prometheus takes a file of rules.
///
/// # Errors
/// It does not; then with each finding.
pub fn check_rules(rules: &Path) -> anyhow::Result<()> {
    run(&[Path::new("check"), Path::new("rules"), rules])
}

/// What the rules tell in each case of these files is what the case expects. The files name their rules, from where they are.
///
/// # Errors
/// It is not; then with what was expected and what was told.
pub fn test_rules(cases: &[PathBuf]) -> anyhow::Result<()> {
    let arguments = [Path::new("test"), Path::new("rules")].into_iter().chain(cases.iter().map(PathBuf::as_path));
    run(&arguments.collect::<Vec<_>>())
}

fn run(arguments: &[&Path]) -> anyhow::Result<()> {
    let output = Command::new(program()?).args(arguments).output().context("run promtool")?;
    said(&arguments.iter().map(|argument| argument.to_string_lossy()).collect::<Vec<_>>().join(" "), &output)
}

fn said(what: &str, output: &Output) -> anyhow::Result<()> {
    if !output.status.success() {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        bail!("promtool {what}: {}\n{}{}", output.status, text(&output.stdout), text(&output.stderr));
    }
    Ok(())
}
