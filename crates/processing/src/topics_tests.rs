use std::collections::BTreeSet;

use common::event::EVENT_TYPES;
use common::topics::TopicKind;

use super::*;

#[test]
fn every_typed_topic_belongs_to_a_source() {
    let needed: Vec<String> = description().needed().into_iter().map(|spec| spec.name).collect();
    let names: BTreeSet<&str> = needed.iter().map(String::as_str).collect();
    assert_eq!(names.len(), needed.len(), "none is named twice");
    for event in EVENT_TYPES {
        assert!(names.contains(event.topic), "no source makes {}", event.topic);
    }
    for name in ["registrations", "activities", "dead-letters", "raw.meta", "raw.meta.bulk", "events.whatsapp.other"] {
        assert!(names.contains(name), "{name}");
    }
}

#[test]
fn one_source_wants_its_own_only() {
    let github = described(&[sources::by_name("github").unwrap()]).needed();
    assert!(github.iter().any(|spec| spec.name == "raw.github"));
    assert!(github.iter().all(|spec| !spec.name.contains("meta") && !spec.name.contains("facebook")));
    let registrations = github.iter().find(|spec| spec.name == "registrations").unwrap();
    assert_eq!(registrations.kind, TopicKind::Compacted);
}
