//! The folder of real deliveries, which is not part of the repository.

use std::path::PathBuf;

use crate::environment::{variable, workspace};

/// A folder in the one that `WEIR_TEST_DATA` names (a relative path begins at the folder of the workspace). `None` where it is not set; a test that needs it then says that it was
/// skipped:
///
/// ```no_run
/// let Some(data) = weir_tests::data::folder("meta_webhooks") else { return };
/// ```
///
/// # Panics
/// `WEIR_TEST_DATA` is set and has no such folder: a run that means to use the data must not pass without it.
pub fn folder(name: &str) -> Option<PathBuf> {
    let Some(data) = variable("WEIR_TEST_DATA") else {
        skipped(name);
        return None;
    };
    let folder = workspace().join(data).join(name);
    assert!(folder.is_dir(), "WEIR_TEST_DATA is set, but {} is not a folder", folder.display());
    Some(folder)
}

#[expect(clippy::print_stderr, reason = "whoever reads the result of the tests must see what was not tested")]
fn skipped(name: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    eprintln!("skipped: {test} needs {name} of the folder with real deliveries: set WEIR_TEST_DATA");
}
