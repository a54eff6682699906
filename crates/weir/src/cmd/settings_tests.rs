use std::fs;
use std::path::Path;

use super::*;

const MENDS: &str = "this mends it: cargo run -p weir -- manifests --write";

fn committed(file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The first line in which two texts differ.
fn difference(found: &str, expected: &str) -> Option<String> {
    let (mut found, mut expected) = (found.lines(), expected.lines());
    loop {
        match (found.next(), expected.next()) {
            (None, None) => return None,
            (found, expected) if found == expected => {}
            (found, expected) => return Some(format!("there is {found:?}, and it should be {expected:?}")),
        }
    }
}

#[test]
fn the_page_is_what_the_command_prints() {
    let page = committed("settings.md");
    let (_, rest) = page.split_once("<!-- written by weir manifests: settings -->\n").expect("the mark before");
    let (found, _) = rest.split_once("<!-- end of what weir manifests writes -->").expect("the mark after");
    let difference = difference(found.trim(), reference().unwrap().trim());
    assert_eq!(difference, None, "docs/settings.md: {MENDS}");
}

#[test]
fn the_schema_is_what_the_command_prints() {
    let difference = difference(&committed("settings.schema.json"), &schema().unwrap());
    assert_eq!(difference, None, "docs/settings.schema.json: {MENDS}");
}
