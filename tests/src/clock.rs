//! Clocks of single programs, which a test sets: a library of C that is preloaded (`clock.c` says why it is our own).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, ensure};

use crate::scratch::Scratch;

/// What stands in the file of a clock that is right.
pub const RIGHT: &str = "+0s";

/// Sets the clock that is in this file, as "+40d", "+2h" or "-90s" beside the right one. A program sees it at once.
///
/// # Errors
/// The file cannot be written.
pub fn set(file: &Path, to: &str) -> anyhow::Result<()> {
    // Whoever reads meanwhile sees the former or the new: never half of it.
    let new = file.with_extension("new");
    std::fs::write(&new, to)
        .and_then(|()| std::fs::rename(&new, file))
        .with_context(|| format!("cannot set the clock {}", file.display()))
}

/// The environment of a program whose clock is in this file. Without the file its clock is right.
///
/// # Errors
/// There is no C compiler, or it fails.
pub fn preload(file: &Path) -> anyhow::Result<[(&'static str, String); 2]> {
    Ok([("LD_PRELOAD", library()?.display().to_string()), ("WEIR_TEST_CLOCK", file.display().to_string())])
}

/// Compiled once for this process.
fn library() -> anyhow::Result<PathBuf> {
    static COMPILED: OnceLock<Result<(PathBuf, Scratch), String>> = OnceLock::new();
    let compiled = COMPILED.get_or_init(|| compile().map_err(|error| format!("{error:#}")));
    compiled.as_ref().map(|(path, _)| path.clone()).map_err(|error| anyhow::anyhow!(error.clone()))
}

fn compile() -> anyhow::Result<(PathBuf, Scratch)> {
    let folder = Scratch::new("clock")?;
    let (source, library) = (folder.path().join("clock.c"), folder.path().join("clock.so"));
    std::fs::write(&source, include_str!("clock.c"))?;
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(&library).arg(&source);
    let output = gcc.output().context("starting gcc: `scripts/install.sh test` installs it")?;
    ensure!(output.status.success(), "gcc refused clock.c: {}", String::from_utf8_lossy(&output.stderr));
    Ok((library, folder))
}
