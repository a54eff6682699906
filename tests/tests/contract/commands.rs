//! Whether the commands that pages and the Makefile show can be found, and work where people try them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every page in Markdown.
fn pages() -> Vec<PathBuf> {
    let (mut pages, mut folders) = (Vec::new(), vec![root()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            if entry.file_type().unwrap().is_dir() {
                if !name.starts_with('.') && name != "target" {
                    folders.push(path);
                }
            } else if name.ends_with(".md") {
                pages.push(path);
            }
        }
    }
    assert!(pages.len() > 40, "{pages:?}");
    pages
}

#[test]
fn make_help_lists_every_target() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).unwrap();
    let phony = makefile.lines().filter_map(|line| line.strip_prefix(".PHONY: "));
    let phony: BTreeSet<&str> = phony.flat_map(str::split_whitespace).collect();
    assert!(phony.iter().filter(|target| target.starts_with("k8s-")).count() > 1, "{phony:?}");
    let output = Command::new("make").arg("help").current_dir(root()).output().unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    let listed = help.lines().filter_map(|line| line.trim().strip_prefix("make ")?.split_whitespace().next());
    assert_eq!(listed.collect::<BTreeSet<_>>(), phony);
}

#[test]
fn nothing_is_installed_into_the_python_of_the_system() {
    // Debian, Ubuntu, Fedora and Homebrew refuse it (PEP 668).
    for path in pages() {
        let mut active = false;
        for (number, line) in (1..).zip(std::fs::read_to_string(&path).unwrap().lines()) {
            active &= !line.starts_with("```");
            active |= line.contains("/bin/activate");
            for (at, _) in line.match_indices("pip install") {
                let in_words = line[..at].ends_with('`') && line.contains("PEP 668");
                let fine = active || in_words || line[..at].ends_with("venv/bin/");
                assert!(fine, "{}:{number}: {line}", path.display());
            }
        }
    }
}

#[test]
fn no_page_has_a_place_that_is_still_to_be_filled() {
    for path in pages() {
        let page = std::fs::read_to_string(&path).unwrap();
        for mark in ["@@", "TODO", "FIXME", "TBD"] {
            assert!(!page.contains(mark), "{}: {mark}", path.display());
        }
    }
}
