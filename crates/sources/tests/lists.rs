//! Lists of sources and kinds that people write by hand name all that there are.

#![allow(clippy::unwrap_used, reason = "a test says by it what it expects")]

use std::path::Path;

/// A file, and what stands before the list in it. A list is a paragraph at most.
const OF_SOURCES: &[(&str, &str)] = &[
    ("crates/sources/README.md", "| source | endpoints |"),
];

/// The names that are not in the list.
fn missing<'a>(file: &str, before: &str, names: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let (_, list) = text.split_once(before).unwrap_or_else(|| panic!("{file}: {before:?} is gone"));
    let list = list.split_once("\n\n").map_or(list, |(list, _)| list);
    let words: Vec<_> = list.split(|c: char| !(c.is_alphanumeric() || c == '_')).collect();
    names.into_iter().filter(|name| !words.contains(name)).map(|name| format!("{file}: add {name}")).collect()
}

#[test]
fn every_list_of_sources_names_all_of_them() {
    let lists = OF_SOURCES.iter().flat_map(|(file, before)| missing(file, before, sources::names()));
    assert_eq!(lists.collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn every_kind_of_github_is_in_the_readme() {
    let topics = sources::by_name("github").unwrap().topics();
    let kinds = topics.iter().filter_map(|topic| topic.rsplit('.').next());
    assert_eq!(missing("crates/sources/README.md", "These kinds are typed:\n\n", kinds), [""; 0]);
}

#[test]
fn a_name_that_is_missing_is_told() {
    let told = missing(OF_SOURCES[0].0, OF_SOURCES[0].1, ["meta", "gitlab"]);
    assert_eq!(told, ["crates/sources/README.md: add gitlab"]);
}
