//! Every fixture of every platform with what comes out of it: id, key, time, typed event, activities. An id that
//! changes makes every redelivery a new event, so no id here may ever change.

#![allow(clippy::unwrap_used, reason = "a test says by it what it expects")]

mod leaves;
mod samples;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::LazyLock;

use common::activity::v1::Activity;
use common::event::EVENT_TYPES;
use common::raw::v1::Delivery;
use common::registration::v1::{Account, Registration, registration::Kind};
use common::registrations::Registrations;
use prost::{Message as _, Name as _};
use prost_reflect::{DescriptorPool, DynamicMessage, SerializeOptions};
use samples::Sample;
use sources::Item;

/// Two accounts of the fixtures belong to other tenants than the endpoint.
fn tenants() -> Registrations {
    let mut registrations = Registrations::default();
    for (account, tenant) in [("640021123", "lockkeepers"), ("108204610000982", "globex")] {
        let account = Account { endpoint: "gate".to_owned(), account_id: account.to_owned() };
        let id = format!("account/gate/{}", account.account_id);
        let kind = Some(Kind::Account(account));
        registrations.apply(&id, Some(Registration { tenant: tenant.to_owned(), kind, ..Registration::default() }));
    }
    registrations
}

fn json(message: &DynamicMessage) -> String {
    let options = SerializeOptions::new().use_proto_field_name(true).stringify_64_bit_integers(false);
    // Through a value, whose members are sorted: those of a map have no order of their own.
    let value = message.serialize_with_options(serde_json::value::Serializer, &options).unwrap();
    serde_json::to_string_pretty(&value).unwrap()
}

fn describe(item: &Item) -> String {
    static POOL: LazyLock<DescriptorPool> = LazyLock::new(|| DescriptorPool::decode(common::DESCRIPTORS).unwrap());
    let event = match item {
        Item::Event(event) => event,
        Item::Refused(refused) => {
            let payload = String::from_utf8_lossy(&refused.payload);
            return format!("refused: {}: {}\n{payload}\n", refused.reason.as_str(), refused.message);
        }
    };
    let mut text = format!(
        "id: {}\ntopic: {}\ntype: {}\ntenant: {}\naccount: {}\nsubject: {}\noccurred_at: {}\n{}\n",
        event.id,
        event.topic,
        event.ce_type,
        event.tenant,
        event.account_id,
        event.subject,
        event.occurred_at.map_or_else(|| "-".to_owned(), |time| time.to_string()),
        json(&leaves::decode(event)),
    );
    let descriptor = POOL.get_message_by_name(&Activity::full_name()).unwrap();
    for activity in &event.activities {
        let message = DynamicMessage::decode(descriptor.clone(), activity.encode_to_vec().as_slice()).unwrap();
        writeln!(text, "activity: {}", json(&message)).unwrap();
    }
    text
}

fn assert_golden(sample: &Sample, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(samples::folder(sample.platform));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(sample.file.file_name().unwrap().to_str().unwrap(), text));
}

#[test]
fn every_fixture() {
    for sample in samples::all() {
        let delivery = sample.delivery();
        let parsed = sample.source.parse(&delivery, &tenants());
        assert_golden(&sample, &parsed.items.iter().map(describe).collect::<String>());
        // The same delivery once more, at another time and under another delivery id of the door.
        let again = Delivery { delivery_id: "ff".repeat(16), received_at: None, ..delivery };
        let ids = |parsed: &sources::Parsed| parsed.events().map(|event| event.id).collect::<Vec<_>>();
        assert_eq!(ids(&sample.source.parse(&again, &tenants())), ids(&parsed), "{}", sample.file.display());
    }
}

#[test]
fn no_value_of_any_fixture_is_lost() {
    for sample in samples::all().iter().filter(|sample| sample.file.extension().is_some_and(|json| json == "json")) {
        let parsed = sample.source.parse(&sample.delivery(), &tenants());
        let sent: serde_json::Value = serde_json::from_slice(&sample.body).unwrap();
        // A body that is no object is one text in its event, which the golden file shows.
        if sent.is_object() && parsed.refusals().next().is_none() {
            assert_eq!(leaves::missing(&sent, parsed.events()), [""; 0], "{}", sample.file.display());
        }
    }
}

/// Kinds that are older than the test below. Whoever adds a fixture takes its kind out of here; a new kind has one.
const WITHOUT_FIXTURE: &[(&str, &str)] = &[
    (
        "facebook",
        "address connection coupon experience group group_message interest link milestone note page \
         photo_album picture platform_story profile question story tag",
    ),
    (
        "github",
        "check_suite commit_comment delete discussion_comment installation_repositories label \
         member membership merge_group milestone package page_build public pull_request_review_thread team team_add",
    ),
    ("instagram", "message_edit opt_in pass_thread_control request_thread_control take_thread_control"),
];

/// What no fixture shows, nobody has looked at.
#[test]
fn every_kind_has_a_fixture() {
    let mut shown = BTreeSet::new();
    for sample in samples::all() {
        shown.extend(sample.source.parse(&sample.delivery(), &tenants()).events().map(|event| event.topic.to_string()));
    }
    let known: BTreeSet<_> = WITHOUT_FIXTURE
        .iter()
        .flat_map(|(platform, kinds)| kinds.split_whitespace().map(move |kind| format!("events.{platform}.{kind}")))
        .collect();
    let without = EVENT_TYPES.iter().map(|event| event.topic.to_owned()).filter(|topic| !shown.contains(topic));
    let without: BTreeSet<_> = without.collect();
    let new: Vec<_> = (&without - &known)
        .iter()
        .map(|topic| format!("{topic}: add a delivery of it to the fixtures of its platform"))
        .collect();
    assert_eq!(new, [""; 0]);
    assert_eq!(&known - &without, BTreeSet::new(), "these have a fixture now: take them out of WITHOUT_FIXTURE");
}

/// A golden file whose fixture is gone guards nothing, and a folder that belongs to no platform is never read.
#[test]
fn every_folder_and_every_golden_file_belongs_to_something() {
    let samples = samples::all();
    let platforms: BTreeSet<_> = samples.iter().map(|sample| sample.platform).collect();
    for folder in std::fs::read_dir(samples::folder("")).unwrap().map(|entry| entry.unwrap().path()) {
        let name = folder.file_name().unwrap().to_str().unwrap();
        assert!(platforms.contains(name), "fixtures/{name}: no source of sources::all() has this platform");
        for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            assert!(!samples::is_golden(&file) || file.with_extension("").exists(), "{}: no fixture", file.display());
        }
    }
}

#[test]
fn a_form_says_what_its_json_says() {
    let samples = samples::all();
    let parsed = |name: &str| {
        let sample = samples.iter().find(|sample| sample.file.ends_with(name)).unwrap();
        sample.source.parse(&sample.delivery(), &tenants())
    };
    let [Item::Event(form)] = &parsed("issue_comment.created.form").items[..] else { panic!() };
    let [Item::Event(json)] = &parsed("issue_comment.created.json").items[..] else { panic!() };
    let strip = |event| leaves::paths_of_event(event).into_iter().collect::<BTreeSet<_>>();
    assert_eq!(strip(form), strip(json));
    assert_eq!(form.activities[0].text.as_deref(), Some("Seen it & fixed it: 100% dry + tight"));
}
