use std::collections::BTreeSet;

use super::*;

#[test]
fn sources_are_found_by_their_names() {
    let names: Vec<_> = all().iter().map(|source| source.name()).collect();
    assert_eq!(names, ["meta", "github", "standard_webhooks"]);
    for name in names {
        assert_eq!(by_name(name).map(Source::name), Some(name));
    }
    assert!(by_name("").is_none() && by_name("Meta").is_none());
}

#[test]
fn every_platform_has_one_source_and_every_typed_topic_has_a_platform() {
    let platforms: Vec<_> = all().iter().flat_map(|source| source.platforms()).copied().collect();
    let unique: BTreeSet<_> = platforms.iter().copied().collect();
    assert_eq!(unique.len(), platforms.len());
    for event in common::event::EVENT_TYPES {
        let platform = event.topic.split('.').nth(1).unwrap();
        assert!(unique.contains(platform), "{}", event.topic);
    }
}

#[test]
fn kept_headers_are_lowercase_and_deadlines_are_short() {
    for source in all() {
        for name in source.kept_headers() {
            assert_eq!(*name, name.to_lowercase());
            assert!(!name.contains("signature") && *name != "authorization", "{name} is of no use once it is verified");
        }
        let traits = source.traits();
        assert!(traits.answer_within > Duration::ZERO && traits.answer_within <= Duration::from_secs(24));
        assert!(traits.max_body >= 1 << 20);
    }
}
