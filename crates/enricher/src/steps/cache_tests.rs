use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;

const fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn key(name: &str) -> Vec<String> {
    vec!["acme".to_owned(), name.to_owned()]
}

fn answer(value: &str) -> Option<Attributes> {
    Some(Arc::new(BTreeMap::from([("name".to_owned(), value.to_owned())])))
}

fn cache(entries: usize, bytes: usize) -> Cache {
    Cache::new(CacheLimits { entries, bytes, ttl: at(60), negative_ttl: at(5) })
}

#[test]
fn answers_stay_for_their_time_and_not_known_for_a_shorter_one() {
    let mut cache = cache(10, 1000);
    cache.put(key("a"), answer("x"), at(0));
    cache.put(key("b"), None, at(0));
    assert_eq!(cache.get(&key("a"), at(59)), Some(answer("x")));
    assert_eq!(cache.get(&key("a"), at(60)), None);
    assert_eq!(cache.get(&key("b"), at(4)), Some(None));
    assert_eq!(cache.get(&key("b"), at(5)), None);
    assert_eq!(cache.get(&key("c"), at(0)), None);
    cache.put(key("a"), answer("y"), at(60));
    assert_eq!(cache.get(&key("a"), at(61)), Some(answer("y")));
}

#[test]
fn what_is_used_stays_when_others_come() {
    let mut cache = cache(10, 1000);
    cache.put(key("used"), answer("x"), at(0));
    for n in 0..100 {
        cache.put(key(&n.to_string()), None, at(0));
        assert_eq!(cache.get(&key("used"), at(1)), Some(answer("x")), "after {n}");
    }
    assert_eq!(cache.get(&key("0"), at(1)), None);
}

proptest! {
    #[test]
    fn it_never_holds_more_than_it_may(
        keys in proptest::collection::vec((0..50u32, 0..200usize), 0..500),
        entries in 1..20usize,
    ) {
        let mut cache = cache(entries, 2000);
        for (n, size) in keys {
            let value = "v".repeat(size);
            cache.put(key(&n.to_string()), answer(&value), at(0));
            prop_assert_eq!(cache.get(&key(&n.to_string()), at(0)), Some(answer(&value)));
            prop_assert!(cache.len() <= entries + 1, "{} of {}", cache.len(), entries);
            let young: usize = cache.young.values().map(|entry| entry.bytes).sum();
            prop_assert_eq!(young, cache.young_bytes);
            prop_assert!(young <= 1000);
        }
    }
}
