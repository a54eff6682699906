//! The few things that the harness takes from the environment.

use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// A variable; `None` where it is unset or empty.
#[expect(clippy::disallowed_methods, reason = "this is the one place of the harness that reads the environment")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The folder of the workspace.
pub fn workspace() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_owned()
}

/// The first of these that is a file: `name` in `folders`, then in the folders of `PATH`.
pub fn find_program(name: &str, folders: &[PathBuf]) -> Option<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join(name));
    folders.iter().map(|folder| folder.join(name)).chain(on_path).find(|candidate| candidate.is_file())
}

/// Java: that of `JAVA_HOME`, else that on `PATH`.
///
/// # Errors
/// There is none.
pub fn find_java() -> anyhow::Result<PathBuf> {
    let home: Vec<PathBuf> = variable("JAVA_HOME").map(|home| Path::new(&home).join("bin")).into_iter().collect();
    find_program("java", &home).context("java is not on PATH: install Java 17 (`make test-deps`)")
}

/// The names of the variables with which somebody configures Weir in this shell, or these tests: Weir warns of the latter.
#[expect(clippy::disallowed_methods, reason = "this is the one place of the harness that reads the environment")]
pub(crate) fn inherited_settings() -> Vec<String> {
    std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("WEIR_")).collect()
}
