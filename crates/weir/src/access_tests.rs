use std::collections::BTreeSet;

use super::*;

fn settings(prefix: &str) -> Settings {
    let prefix = ("WEIR__BUS__TOPIC_PREFIX".to_owned(), prefix.to_owned());
    service::load(crate::settings::DEFAULTS, None, [prefix]).unwrap()
}

/// What a service may do with topics, by operation.
fn topics(service: &str, operation: Operation) -> BTreeSet<String> {
    let all = access(&settings(""));
    let rules = &all.iter().find(|access| access.service == service).unwrap().rules;
    let of = rules.iter().filter(|rule| rule.operations.contains(&operation));
    of.filter_map(|rule| match &rule.resource {
        Resource::Topic(name) => Some(name.clone()),
        Resource::Group(_) => None,
    })
    .collect()
}

#[test]
fn the_door_reads_no_delivery_and_only_one_writes_each_kind() {
    assert_eq!(topics("weir-streaming", Operation::Read), ["registrations".to_owned(), "storms".to_owned()].into());
    assert!(topics("weir-streaming", Operation::Write).iter().all(|topic| topic.starts_with("raw.")));
    for (topic, writers) in [
        ("registrations", vec!["weir-processing"]),
        ("activities", vec!["weir-processing"]),
        ("activities.enriched", vec!["weir-enricher"]),
        ("storms", vec!["weir-processing"]),
        // Load requests, and their replay.
        ("loads", vec!["weir-processing", "weir-enricher"]),
        ("events.github.push", vec!["weir-processing"]),
        // Deliveries, and their replay.
        ("raw.github", vec!["weir-streaming", "weir-processing"]),
    ] {
        let all = access(&settings(""));
        let writes = |service: &str| topics(service, Operation::Write).contains(topic);
        let found: Vec<_> =
            all.iter().map(|access| access.service.as_str()).filter(|service| writes(service)).collect();
        assert_eq!(found, writers, "{topic}");
    }
}

#[test]
fn names_have_the_prefix_of_the_settings() {
    for rule in access(&settings("prod.")).into_iter().flat_map(|access| access.rules) {
        let (Resource::Topic(name) | Resource::Group(name)) = rule.resource;
        assert!(name.starts_with("prod."), "{name}");
    }
}
