//! Whether the descriptions of the services say what their code does: what is not said there has no topic, no right on Kafka
//! and no line in any manifest. Topics are seen where a service's own code names their constants, as `topics::LOADS`.

use std::collections::{BTreeMap, BTreeSet};

use common::catalogue::{Answer, Description};
use weir::catalogue::{descriptions, jobs};

use crate::architecture::{named, root, sources};
use crate::text::{bracket, code};

const TOPICS: &str = "crates/common/src/topics.rs";

/// The constants of the topics with their names.
fn constants(text: &str) -> BTreeMap<&str, &str> {
    let declared = text.lines().filter_map(|line| {
        let (name, rest) = line.strip_prefix("pub const ")?.split_once(": Topic<")?;
        let (_, rest) = rest.split_once("Topic::of(\"")?;
        Some((name, rest.split_once('"')?.0))
    });
    declared.collect()
}

/// The constants of the topics that the code of a file names, as `topics::LOADS` or `topics::{LOADS, raw}`. What its tests
/// name counts for nothing.
fn used_by(text: &str) -> BTreeSet<&str> {
    let words = code(text);
    let paths = (0..words.len()).filter_map(|at| words[at..].strip_prefix(&["topics", "::"]));
    let names = paths.flat_map(|rest| match rest {
        ["{", ..] => &rest[..bracket(rest)],
        _ => &rest[..1],
    });
    names.copied().filter(|name| name.starts_with(|letter: char| letter.is_ascii_uppercase())).collect()
}

#[test]
fn constants_and_their_users_are_found() {
    let text =
        "pub const LOADS: Topic<LoadRequest> = Topic::of(\"loads\", WEEK);\nconst X: u8 = 0;\npub const fn event() {}";
    assert_eq!(constants(text), BTreeMap::from([("LOADS", "loads")]));
    let text = "/// As [`topics::REGISTRATIONS`].\nuse common::topics::{LOADS, STORMS,\n    raw};\n\
                let a = topics::ACTIVITIES.name(); topics::other(x)\n#[cfg(test)]\nmod tests {\n    use topics::DEAD_LETTERS;\n}\nfn b() { topics::ENRICHED }";
    assert_eq!(used_by(text), BTreeSet::from(["ACTIVITIES", "ENRICHED", "LOADS", "STORMS"]));
}

#[test]
fn every_topic_has_its_users() {
    let text = std::fs::read_to_string(root().join(TOPICS)).unwrap();
    let described: BTreeSet<_> =
        descriptions().chain([jobs()]).flat_map(|one| one.topics).map(|one| one.topic.name).collect();
    let constants = constants(&text);
    assert!(constants.len() > 5, "{constants:?}");
    let unused: Vec<_> = constants
        .iter()
        .filter(|(_, topic)| !described.contains(**topic))
        .map(|(name, topic)| {
            format!("{name} ({topic}): no service uses it: add TopicUse::of(&{name}, …) to its description")
        })
        .collect();
    assert_eq!(unused, [""; 0]);
}

#[test]
fn a_service_says_which_topics_it_uses() {
    let text = std::fs::read_to_string(root().join(TOPICS)).unwrap();
    let constants = constants(&text);
    let mut unsaid = Vec::new();
    for description in descriptions() {
        let said: BTreeSet<_> = description.topics.iter().map(|one| one.topic.name.as_str()).collect();
        let folder = format!("crates/{}/", description.name);
        let files: Vec<_> = sources().into_iter().filter(|file| named(file).starts_with(&folder)).collect();
        assert!(!files.is_empty(), "{folder} has no sources: a service has the name of its crate");
        for file in files {
            let text = std::fs::read_to_string(&file).unwrap();
            for name in
                used_by(&text).into_iter().filter(|name| constants.get(name).is_some_and(|topic| !said.contains(topic)))
            {
                unsaid.push(format!(
                    "{}: it uses {name}, and the description of {} does not say so: add TopicUse::of(&{name}, …)",
                    named(&file),
                    description.name
                ));
            }
        }
    }
    assert_eq!(unsaid, [""; 0]);
}

/// Network policies, routes and scrapes are written from what a service says that it answers.
#[test]
fn a_service_that_answers_says_so() {
    let mut wrong = Vec::new();
    for Description { name, runs, .. } in descriptions() {
        let folder = format!("crates/{name}/src/");
        let files = sources().into_iter().filter(|file| named(file).starts_with(&folder));
        let code: String = files.map(|file| std::fs::read_to_string(file).unwrap()).collect();
        let says = |is: fn(&Answer) -> bool| runs.answers.iter().any(is);
        for (method, said, answer) in [
            ("fn add_to(&self", says(|answer| matches!(answer, Answer::Grpc(_))), "Answer::Grpc(SERVICE_NAME)"),
            ("fn pages(&self", says(|answer| matches!(answer, Answer::Pages)), "Answer::Pages"),
            ("fn door(&self", says(|answer| matches!(answer, Answer::Public { .. })), "Answer::Public"),
        ] {
            if code.contains(method) != said {
                wrong.push(format!("{name}: `{method}` in {folder} and {answer} in its description go together"));
            }
        }
    }
    assert_eq!(wrong, [""; 0]);
}
