//! Whether tests/README.md names all that there is, and nothing that is gone.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn tests() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    std::fs::read_to_string(tests().join("README.md")).unwrap()
}

/// What stands as code in a column of the table with this heading.
fn column(page: &str, heading: &str, column: usize) -> BTreeSet<String> {
    let rows = page.lines().skip_while(|line| !line.starts_with(heading)).skip(2);
    let cells = rows.take_while(|line| line.starts_with('|')).map(|line| line.split('|').nth(column).unwrap());
    cells.filter_map(|cell| cell.split('`').nth(1)).map(str::to_owned).collect()
}

fn entries(folder: &Path) -> Vec<(String, PathBuf)> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().to_str().unwrap().to_owned(), entry.path())).collect()
}

/// As cargo finds them in `weir-tests`, and those that the other packages name.
fn programs() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (name, path) in entries(&tests().join("tests")) {
        if name.ends_with(".rs") || path.join("main.rs").exists() {
            found.insert(format!("tests/{name}"));
        }
    }
    for (package, path) in entries(&tests()) {
        let manifest = std::fs::read_to_string(path.join("Cargo.toml")).unwrap_or_default();
        let paths = manifest.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"'));
        found.extend(paths.map(|path| format!("{package}/{path}")));
    }
    found
}

#[test]
fn it_names_every_test_program() {
    assert_eq!(column(&readme(), "| test program ", 1), programs());
}

#[test]
fn it_names_every_package() {
    let mut packages = BTreeSet::from(["tests".to_owned()]);
    let own = entries(&tests()).into_iter().filter(|(_, path)| path.join("Cargo.toml").exists());
    packages.extend(own.map(|(name, _)| format!("tests/{name}")));
    assert_eq!(column(&readme(), "| package ", 2), packages);
}

#[test]
fn it_names_every_module_of_the_kit() {
    let modules = std::fs::read_to_string(tests().join("src/lib.rs")).unwrap();
    let modules = modules.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'));
    assert_eq!(column(&readme(), "| module ", 1), modules.map(str::to_owned).collect());
}
