//! Variables that begin as ours do and are read as nothing: `WEIR_BUS_KAFKA_BROKERS`, which has one underscore where two
//! belong.

use super::error::distance;
use super::fault::Fault;
use super::layers::{PREFIX, VARIABLE, dotted};
use super::tree::{Kind, Node};

/// What a variable begins with that somebody may have meant for Weir, in capitals or not.
const OURS: &str = "WEIR_";

/// Whether somebody may have meant this variable for Weir.
pub(crate) fn is_ours(variable: &str) -> bool {
    variable.get(..OURS.len()).is_some_and(|start| start.eq_ignore_ascii_case(OURS))
}

/// Those that are no settings, and do not look like one either. Kubernetes sets some for every Service of a namespace.
pub(crate) fn unread(variables: impl IntoIterator<Item = (String, String)>) -> Vec<String> {
    let names = variables.into_iter().map(|(name, _)| name);
    names.filter(|name| is_ours(name) && !name.starts_with(PREFIX) && !is_service_link(name)).collect()
}

/// What is wrong with a variable that is not read and was meant for a setting. `known`: the defaults.
pub(super) fn fault(variable: &str, known: &Node) -> Option<Fault> {
    if !is_ours(variable) || variable.starts_with(PREFIX) {
        return None;
    }
    let words = words(variable);
    let path = exactly(&words, known).or_else(|| {
        let near = if is_service_link(variable) { None } else { in_section(&words, known) };
        near.or_else(|| at_the_end(&words, known))
    })?;
    Some(Fault {
        key: path.iter().fold(String::new(), |key, part| dotted(&key, part)),
        origin: Some(format!("{VARIABLE}{variable}")),
        problem: "a variable of this name is not read".to_owned(),
        fix: format!("write {}, with two underscores after WEIR and before each key", name_of(&path)),
    })
}

/// The setting that a variable has the words of, where its underscores are wrong: as a variable is to be written.
pub(super) fn right_name(variable: &str, known: &Node) -> Option<String> {
    let words = words(variable);
    exactly(&words, known).or_else(|| at_the_end(&words, known)).map(|path| name_of(&path))
}

/// The name without its beginning, in small letters, with one underscore between words.
fn words(variable: &str) -> String {
    let rest = variable.get(OURS.len()..).unwrap_or_default().to_lowercase();
    rest.split('_').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("_")
}

fn name_of(path: &[String]) -> String {
    format!("{PREFIX}{}", path.join("__").to_uppercase())
}

fn exactly(words: &str, known: &Node) -> Option<Vec<String>> {
    known.leaves().into_iter().find(|path| path.join("_") == words)
}

/// `kafka_brokers`, where one setting only ends so.
fn at_the_end(words: &str, known: &Node) -> Option<Vec<String>> {
    let end = format!("_{words}");
    let mut found = known.leaves().into_iter().filter(|path| words.contains('_') && path.join("_").ends_with(&end));
    let first = found.next()?;
    found.next().is_none().then_some(first)
}

/// In the section that the words begin with: the key that is nearest to the rest of them, or the rest itself, since not
/// every setting has a default.
fn in_section(words: &str, known: &Node) -> Option<Vec<String>> {
    let (mut node, mut path, mut rest) = (known, Vec::new(), words);
    while let Kind::Table(table) = &node.kind {
        let inside = table.iter().filter_map(|(key, child)| {
            let rest = rest.strip_prefix(key.as_str())?.strip_prefix('_')?;
            matches!(child.kind, Kind::Table(_)).then_some((key, child, rest))
        });
        let Some((key, child, after)) = inside.max_by_key(|(key, ..)| key.len()) else { break };
        path.push(key.clone());
        (node, rest) = (child, after);
    }
    let Kind::Table(table) = &node.kind else { return None };
    if path.is_empty() || rest.is_empty() {
        return None;
    }
    let nearest = table.keys().map(|key| (distance(rest, key), key)).min();
    let near = nearest.filter(|(distance, _)| *distance <= 1 + rest.len() / 4);
    path.push(near.map_or_else(|| rest.to_owned(), |(_, key)| key.clone()));
    Some(path)
}

/// What Kubernetes tells of a Service `weir-streaming` by variables: `WEIR_STREAMING_PORT_8080_TCP_ADDR`.
fn is_service_link(variable: &str) -> bool {
    let ends = ["_SERVICE_HOST", "_PORT", "_TCP", "_UDP", "_SCTP", "_PROTO", "_ADDR"];
    let has_port = variable.contains("_PORT_") || variable.ends_with("_PORT") || variable.ends_with("_SERVICE_HOST");
    variable.contains("_SERVICE_PORT") || (has_port && ends.iter().any(|end| variable.ends_with(end)))
}
