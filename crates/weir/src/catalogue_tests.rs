use std::collections::{BTreeMap, BTreeSet};

use common::catalogue::Answer;
use common::topics::{TopicKind, takes_replays};

use super::*;

#[test]
fn the_graph_of_topics_has_no_cycle() {
    // An edge leads from what a service reads to what it writes.
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for flow in descriptions().map(|description| description.flow()) {
        for read in flow.reads {
            edges.entry(read).or_default().extend(flow.writes.iter().cloned());
        }
    }
    for (from, to) in [
        ("raw.meta", "activities"),
        ("raw.meta", "events.facebook.comment"),
        ("activities", "loads"),
        ("loads", "dead-letters"),
    ] {
        assert!(edges[from].contains(to), "{edges:?}");
    }
    for start in edges.keys() {
        let (mut seen, mut next) = (BTreeSet::new(), vec![start]);
        while let Some(topic) = next.pop() {
            for reached in edges.get(topic).into_iter().flatten() {
                assert_ne!(reached, start, "{start} leads back to itself");
                if seen.insert(reached) {
                    next.push(reached);
                }
            }
        }
    }
}

#[test]
fn every_topic_is_written_and_read_by_somebody() {
    let all: Vec<_> = descriptions().chain([jobs()]).flat_map(|description| description.topics).collect();
    let by = |uses: &[Use]| -> BTreeSet<&str> {
        all.iter().filter(|one| uses.contains(&one.used)).map(|one| one.topic.name.as_str()).collect()
    };
    let (written, published) = (by(&[Use::Output, Use::Tell]), by(&[Use::Publish]));
    let read = by(&[Use::Input, Use::LookUp]);
    let missing = |topics: &BTreeSet<&str>, what: &str| -> Vec<_> {
        topics.iter().map(|topic| format!("{topic}: {what} in the description of a service")).collect()
    };
    let unread = missing(
        &(&(&written - &read) - &published),
        "nobody reads it: add its reader, or say Use::Publish where it is written,",
    );
    let unwritten = missing(&(&(&read - &written) - &published), "nobody writes it: add Use::Output or Use::Tell");
    let not_only = missing(&(&published & &read), "a service reads it: say Use::Output, not Use::Publish,");
    let twice = missing(&(&published & &written), "it is said both as Use::Publish and as Use::Output: say one");
    assert_eq!([unread, unwritten, not_only, twice].concat(), [""; 0]);
}

#[test]
fn every_service_has_a_name_of_its_own_and_one_sentence() {
    let names: BTreeSet<_> = descriptions().map(|description| description.name).collect();
    assert_eq!(names.len(), SERVICES.len());
    for description in descriptions() {
        assert!(
            !description.about.is_empty() && !description.about.trim_end_matches('.').contains(". "),
            "{description:?}"
        );
        let refuses = description.used(Use::Output).any(|one| one.topic.name == DEAD_LETTERS.name());
        assert_eq!(refuses, description.refuses, "{}: who refuses writes dead letters", description.name);
    }
}

#[test]
fn a_stage_reads_one_kind_of_message() {
    for description in descriptions() {
        let read: BTreeSet<_> = description.used(Use::Input).map(|input| &input.message).collect();
        assert!(read.len() <= 1, "{}: {read:?}", description.name);
    }
    assert_eq!(message_read_by("processing").as_deref(), Some("weir.raw.v1.Delivery"));
    assert_eq!(message_read_by("loader").as_deref(), Some("weir.load.v1.LoadRequest"));
    assert_eq!(message_read_by("streaming"), None);
}

#[test]
fn whoever_is_dialed_is_there_and_every_setting_too() {
    let settings = serde_json::to_value(Settings::load(None).unwrap()).unwrap();
    let has = |setting: &str| settings.pointer(&format!("/{}", setting.replace('.', "/"))).is_some();
    for Description { name, runs, .. } in descriptions().chain([jobs()]) {
        let named = runs.dials.iter().filter_map(|dial| dial.setting.map(str::to_owned));
        let listens = runs.answers.iter().filter_map(|answer| match answer {
            Answer::Public { listen, .. } => Some((*listen).to_owned()),
            Answer::Grpc(_) | Answer::Pages => None,
        });
        let stores = runs.needs.iter().filter_map(|need| match need {
            Need::Database(section) => Some([format!("{section}.database"), format!("{section}.password_file")]),
            _ => None,
        });
        for setting in named.chain(listens).chain(stores.flatten()) {
            assert!(has(&setting), "{name}: there is no setting {setting}");
        }
        for dial in runs.dials {
            assert!(descriptions().any(|other| other.name == dial.service), "{name}: no service {}", dial.service);
        }
    }
}

#[test]
fn what_a_stage_refuses_can_be_replayed_and_what_weir_keeps_for_itself_cannot() {
    for one in descriptions() {
        for input in one.used(Use::Input).filter(|_| one.refuses) {
            assert!(
                takes_replays(&input.topic.name),
                "{} of {}: takes_replays in common/src/topics.rs",
                input.topic.name,
                one.name
            );
        }
        let looked_up = one.used(Use::LookUp).filter(|kept| kept.topic.kind == TopicKind::Compacted);
        for kept in looked_up.chain(one.used(Use::Publish)) {
            assert!(!takes_replays(&kept.topic.name), "{}: takes_replays in common/src/topics.rs", kept.topic.name);
        }
    }
}

#[test]
fn a_service_with_a_database_or_a_lake_says_that_it_needs_it() {
    let settings = Settings::load(None).unwrap();
    for service in SERVICES {
        let Description { name, runs, .. } = (service.description)();
        let read = (service.settings)(&settings).unwrap();
        for (section, values) in read.as_object().unwrap() {
            if values.get("database").is_some() {
                let said = runs.needs.iter().any(|need| matches!(need, Need::Database(of) if of == section));
                assert!(said, "{name} reads {section}.database: add Need::Database(\"{section}\") to what it needs");
            }
        }
        let lake = runs.needs.iter().any(|need| matches!(need, Need::Lake));
        assert_eq!(read.get("lake").is_some(), lake, "{name}: Need::Lake, and the section [lake] of its settings");
    }
}
