//! The tables of the pages: what is about more than one service, and what the sources are.

use common::catalogue::{Description, Use};
use serde::Serialize;

use crate::access::{Access, Operation, Resource, access};
use crate::catalogue;
use crate::settings::Settings;

#[derive(Debug, Serialize)]
pub(super) struct TopicRow {
    name: String,
    written_by: Vec<&'static str>,
    read_by: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct SourceRow {
    name: &'static str,
    about: &'static str,
    platforms: Vec<PlatformRow>,
    /// The headers without which a delivery of it cannot be verified or understood.
    headers: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct PlatformRow {
    name: &'static str,
    /// The kinds that have a message of their own, by name.
    kinds: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
pub(super) struct PrincipalRow {
    name: String,
    read: Vec<String>,
    write: Vec<String>,
    describe: Vec<String>,
    groups: Vec<String>,
}

pub(super) fn sources() -> Vec<SourceRow> {
    sources::all().iter().map(|source| source_row(*source)).collect()
}

fn source_row(source: &dyn sources::Source) -> SourceRow {
    let sources::Descriptor { name, about, platforms, sample_headers, .. } = *source.descriptor();
    let topics = source.topics();
    let kinds = |platform: &str| {
        let prefix = format!("events.{platform}.");
        let mut kinds: Vec<_> = topics.iter().filter_map(|topic| topic.strip_prefix(prefix.as_str())).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    };
    SourceRow {
        name,
        about,
        platforms: platforms.iter().map(|&name| PlatformRow { name, kinds: kinds(name) }).collect(),
        headers: sample_headers("sample").into_iter().map(|(header, _)| header).collect(),
    }
}

/// What each principal may do on Kafka, with the default names.
pub(super) fn principals(settings: &Settings) -> Vec<PrincipalRow> {
    access(settings).into_iter().map(principal).collect()
}

fn principal(Access { service, rules }: Access) -> PrincipalRow {
    let may = |operation: Operation, is_group: bool| {
        let mut names: Vec<String> = Vec::new();
        for rule in rules.iter().filter(|rule| rule.operations.contains(&operation)) {
            let name = match &rule.resource {
                Resource::Topic(topic) if !is_group => family(topic),
                Resource::Group(group) if is_group => group.clone(),
                Resource::Topic(_) | Resource::Group(_) => continue,
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    };
    PrincipalRow {
        read: may(Operation::Read, false),
        write: may(Operation::Write, false),
        describe: may(Operation::Describe, false),
        groups: may(Operation::Read, true),
        name: service,
    }
}

fn family(topic: &str) -> String {
    let family = topic.split_once('.').filter(|(family, _)| ["raw", "events"].contains(family));
    family.map_or_else(|| topic.to_owned(), |(family, _)| format!("<{family}>"))
}

/// Those outside of Weir.
const SUBSCRIBERS: &str = "subscribers";

/// Who writes and who reads which topics; those that differ only in source, platform or kind are one row.
pub(super) fn topics(all: &[Description]) -> Vec<TopicRow> {
    let mut rows: Vec<TopicRow> = Vec::new();
    for description in all {
        let replayed = if description.replays { catalogue::replays() } else { Vec::new() };
        for one in description.topics.iter().chain(&replayed) {
            let name = pattern(&one.topic.name);
            let at = rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
                rows.push(TopicRow { name, written_by: Vec::new(), read_by: Vec::new() });
                rows.len() - 1
            });
            if one.used == Use::Publish && !rows[at].read_by.contains(&SUBSCRIBERS) {
                rows[at].read_by.push(SUBSCRIBERS);
            }
            let people = match one.used {
                Use::Input | Use::LookUp => &mut rows[at].read_by,
                Use::Output | Use::Publish | Use::Tell => &mut rows[at].written_by,
                Use::Check | Use::Ends => continue,
            };
            if !people.contains(&description.name) {
                people.push(description.name);
            }
        }
    }
    rows
}

fn pattern(topic: &str) -> String {
    match topic.split('.').collect::<Vec<_>>()[..] {
        ["raw", _] => "raw.<source>".to_owned(),
        ["raw", _, "bulk"] => "raw.<source>.bulk".to_owned(),
        ["events", _, "other"] => "events.<platform>.other".to_owned(),
        ["events", _, _] => "events.<platform>.<kind>".to_owned(),
        _ => topic.to_owned(),
    }
}
