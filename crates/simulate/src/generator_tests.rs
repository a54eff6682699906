use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use common::raw::v1::{Delivery as Raw, Header};
use common::registrations::Registrations;
use sources::{Secrets, Source};

use super::*;
use crate::{Endpoints, Signer, key::natural_key};

const START_MS: i64 = 1_780_000_000_000;

fn config(seed: u64) -> Config {
    Config::new(Arc::new(Endpoints::for_tests()), seed, START_MS)
}

fn deliveries(config: Config, count: usize) -> Vec<Delivery> {
    Generator::new(config).unwrap().take(count).collect()
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(START_MS as u64 + 60_000)
}

fn source(sender: &Sender) -> &'static dyn Source {
    sources::by_name(sender.source).unwrap()
}

/// What the door would write of it.
fn raw(delivery: &Delivery, endpoints: &Endpoints) -> Raw {
    let headers = Signer::new(endpoints).headers(delivery, now());
    let endpoint = endpoints.of(delivery.sender);
    let source = source(delivery.sender);
    Raw {
        delivery_id: format!("{:032x}", delivery.number),
        source: source.name().into(),
        endpoint: endpoint.name.to_string(),
        tenant: endpoint.tenant.to_string(),
        scheme: String::new(),
        received_at: Some(common::time::from_millis(START_MS + 3_600_000)),
        headers: source
            .kept_headers()
            .iter()
            .filter_map(|name| {
                let value = headers.get(*name)?.to_str().ok()?.to_owned();
                Some(Header { name: (*name).to_owned(), value })
            })
            .collect(),
        body: delivery.body.clone(),
    }
}

fn registrations(config: &Config) -> Registrations {
    let mut registrations = Registrations::default();
    for request in config.endpoints.registrations(config.pages) {
        let registration = request.registration.unwrap();
        let id = common::registrations::id_of(registration.kind.as_ref().unwrap());
        registrations.apply(&id, Some(registration));
    }
    registrations
}

#[test]
fn the_same_seed_yields_the_same_deliveries() {
    let busy = |seed| Config { redeliver: 0.2, broken: 0.1, ..config(seed) };
    let [one, again, other] = [7, 7, 8].map(|seed| deliveries(busy(seed), 3000));
    for (one, again) in one.iter().zip(&again) {
        assert_eq!(
            (&one.body, &one.headers, &one.meaning, &one.endpoint),
            (&again.body, &again.headers, &again.meaning, &again.endpoint)
        );
    }
    assert!(one.iter().zip(&other).filter(|(one, other)| one.body == other.body).count() < 100);
}

#[test]
fn a_third_of_metas_deliveries_mix_pages_of_two_tenants() {
    for pages in [2, 3, 50] {
        let mut meta = 0;
        let mut mixed = 0;
        for delivery in deliveries(Config { pages, ..config(1) }, 5000) {
            if delivery.sender.source != "meta" {
                continue;
            }
            meta += 1;
            let accounts: HashSet<_> = delivery.meaning.events.iter().map(|event| &event.account).collect();
            let tenants: HashSet<_> = delivery.meaning.events.iter().map(|event| &event.tenant).collect();
            assert!(accounts.len() <= 20);
            mixed += usize::from(accounts.len() >= 2 && tenants.len() == 2);
            // Never several pages of one tenant alone.
            assert_eq!(accounts.len() > 1, tenants.len() > 1);
        }
        assert!(mixed * 100 >= meta * 30, "{pages} pages: {mixed} of {meta}");
    }
}

#[test]
fn keys_name_one_event_each() {
    let mut seen = HashSet::new();
    // A clock that hardly goes on, so that much happens in one second.
    let config = Config { step_us: 10, pages: 5, ..config(3) };
    for delivery in deliveries(config, 30_000) {
        for event in delivery.meaning.events {
            assert!(seen.insert(event.key.clone()), "{} is there twice", event.key);
        }
    }
    assert!(seen.len() > 50_000, "{}", seen.len());
}

#[test]
fn a_redelivery_brings_nothing_new() {
    let mut seen: HashSet<String> = HashSet::new();
    let (mut again, mut rebatched) = (0, 0);
    let mut bodies = HashSet::new();
    for delivery in deliveries(Config { redeliver: 0.3, ..config(4) }, 10_000) {
        let same_body = !bodies.insert(delivery.body.clone());
        if delivery.meaning.fate == Fate::Redelivery {
            again += 1;
            rebatched += usize::from(!same_body);
            assert!(!delivery.meaning.events.is_empty());
            for event in delivery.meaning.events {
                assert!(seen.contains(&event.key), "{} was not there before", event.key);
            }
        } else {
            assert!(!same_body);
            seen.extend(delivery.meaning.events.iter().map(|event| event.key.clone()));
        }
    }
    assert!((2800..3200).contains(&again), "{again}");
    assert!(rebatched > 600, "{rebatched}");
}

#[test]
fn every_signature_verifies_unless_it_is_broken() {
    let config = Config { broken: 0.3, ..config(5) };
    let endpoints = config.endpoints.clone();
    let signer = Signer::new(&endpoints);
    let mut refused = 0;
    for delivery in deliveries(config, 3000) {
        let active = [endpoints.of(delivery.sender).secret.clone()];
        let secrets = Secrets { active: &active, verify_token: None };
        let headers = signer.headers(&delivery, now());
        let verified = source(delivery.sender).verify(&headers, &delivery.body, &secrets, now());
        match delivery.meaning.fate {
            Fate::Refused(401) => {
                refused += 1;
                assert!(verified.is_err(), "{delivery:?}");
            }
            _ => assert!(verified.is_ok(), "{verified:?} {delivery:?}"),
        }
    }
    assert!(refused > 100, "{refused}");
}

/// Everything comes out as it was meant, and dead letters only where they were meant.
#[test]
fn what_comes_out_is_what_was_meant() {
    let config = Config { redeliver: 0.1, broken: 0.1, pages: 12, ..config(6) };
    let registrations = registrations(&config);
    let endpoints = config.endpoints.clone();
    let mut ids: HashMap<String, common::identity::Id> = HashMap::new();
    let mut topics: HashMap<&str, usize> = HashMap::new();
    for delivery in deliveries(config, 6000) {
        if let Fate::Refused(_) = delivery.meaning.fate {
            continue;
        }
        let parsed = source(delivery.sender).parse(&raw(&delivery, &endpoints), &registrations);
        let context = || String::from_utf8_lossy(&delivery.body).into_owned();
        let refused = parsed.refusals().count();
        let meant = if let Fate::DeadLetters(count) = delivery.meaning.fate { count } else { 0 };
        assert_eq!(refused, meant as usize, "{:?} {}", parsed.refusals().collect::<Vec<_>>(), context());
        assert_eq!(parsed.events().count(), delivery.meaning.events.len(), "{}", context());
        for (event, expected) in parsed.events().zip(&delivery.meaning.events) {
            *topics.entry(expected.topic).or_default() += 1;
            assert_eq!(event.topic, expected.topic, "{}", context());
            assert_eq!(event.platform, expected.platform);
            assert_eq!(event.tenant, &*expected.tenant, "{}", expected.key);
            assert_eq!(event.account_id, &*expected.account, "{}", expected.key);
            let occurred = event.occurred_at.as_ref().map(common::time::to_millis);
            assert_eq!(occurred, expected.occurred_at_ms, "{} {}", expected.key, context());
            assert_eq!(natural_key(&event.topic, &event.payload).unwrap(), expected.key);
            // One id for each key, whatever delivery brings it.
            assert_eq!(*ids.entry(expected.key.clone()).or_insert(event.id), event.id, "{}", expected.key);
            assert_eq!(event.activities.len(), expected.activities.len(), "{}", expected.key);
            for (activity, expected_activity) in event.activities.iter().zip(&expected.activities) {
                assert_eq!(activity.verb(), expected_activity.verb, "{}", expected.key);
                let actor = activity.actor.as_ref().map_or("", |actor| &actor.id);
                assert_eq!(actor, expected_activity.actor, "{}", expected.key);
                let object = activity.object.as_ref().map_or("", |object| &object.id);
                assert_eq!(object, expected_activity.object, "{}", expected.key);
                assert_eq!(activity.text, expected_activity.text, "{}", expected.key);
            }
        }
    }
    assert_eq!(ids.values().collect::<HashSet<_>>().len(), ids.len(), "two keys have one id");
    let mut seen: Vec<_> = topics.into_keys().collect();
    seen.sort_unstable();
    insta::assert_snapshot!(seen.join("\n"));
}

#[test]
fn conversations_begin_with_a_post() {
    let mut posts: HashSet<String> = HashSet::new();
    for delivery in deliveries(Config { pages: 4, mix: "facebook=1".parse().unwrap(), ..config(9) }, 2000) {
        for event in delivery.meaning.events {
            let key: Vec<&str> = event.key.split('/').collect();
            match key[1] {
                "status" | "photo" | "video" | "link" | "share" if key[3] == "add" => {
                    posts.insert(key[2].split_once('_').unwrap().1.to_owned());
                }
                "comment" => assert!(posts.contains(key[2].split_once('_').unwrap().0), "{}", event.key),
                _ => {}
            }
        }
    }
    assert!(posts.len() > 50);
}

#[test]
fn the_mix_is_kept() {
    let mix = "facebook=1,github=3".parse().unwrap();
    let all = deliveries(Config { mix, ..config(10) }, 4000);
    let github = all.iter().filter(|delivery| delivery.sender.source == "github").count();
    assert!((2800..3200).contains(&github), "{github}");
    assert!(all.iter().all(|delivery| delivery.sender.source != "standard_webhooks"));
}
