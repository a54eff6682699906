use std::collections::BTreeSet;
use std::time::Duration;

use super::*;

#[test]
fn sources_are_found_by_their_names() {
    for (index, name) in names().into_iter().enumerate() {
        assert_eq!(by_name(name).map(Source::name), Some(name));
        assert!(!names()[..index].contains(&name), "two sources are called {name}");
    }
    assert!(by_name("").is_none() && by_name("Meta").is_none());
}

#[test]
fn every_platform_has_one_source_and_every_message_is_a_kind_of_it() {
    let platforms: Vec<_> = all().iter().flat_map(|source| source.platforms()).copied().collect();
    let unique: BTreeSet<_> = platforms.iter().copied().collect();
    assert_eq!(unique.len(), platforms.len());
    for event in common::event::EVENT_TYPES {
        let platform = event.topic.split('.').nth(1).unwrap();
        let source = all().iter().find(|source| source.platforms().contains(&platform));
        let source =
            source.unwrap_or_else(|| panic!("{}: add the source of {platform} to sources::all()", event.proto));
        assert!(source.topics().contains(&event.topic), "{}: add it to the kinds of {}", event.proto, source.name());
    }
}

#[test]
fn every_descriptor_is_complete() {
    let secrets = Secrets { active: &[], verify_token: None };
    for source in all() {
        let Descriptor { name, about, handshake, signature, kept_headers, setup, sample_headers, .. } =
            source.descriptor();
        assert!(!about.is_empty() && !setup.is_empty(), "{name}: say who delivers and what to do at the platform");
        assert_eq!(source.handshake("", &secrets).is_some(), *handshake, "{name}");
        assert_eq!(*signature, signature.to_lowercase(), "{name}");
        for header in *kept_headers {
            assert_eq!(*header, header.to_lowercase(), "{name}");
            assert!(*header != *signature && *header != "authorization", "{header} is of no use once it is verified");
        }
        for (header, _) in sample_headers("push.what") {
            assert!(kept_headers.contains(&header), "{name} needs {header}: add it to kept_headers");
        }
        let traits = source.traits();
        assert!(traits.answer_within > Duration::ZERO && traits.answer_within <= Duration::from_secs(24));
        assert!(traits.max_body >= 1 << 20);
    }
}
