use common::time::from_seconds;
use proptest::prelude::*;

use super::*;

/// An attempt so many seconds after 1970.
fn attempt(id: u64, guid: &str, at: i64, status_code: Option<u16>) -> HookDelivery {
    let delivered_at = from_seconds(at).to_string();
    HookDelivery { id, guid: guid.to_owned(), delivered_at, status_code, event: "push".to_owned() }
}

fn ids(listed: &[HookDelivery], since: i64) -> Vec<u64> {
    failed_since(listed, (since, 0)).into_iter().map(|one| one.id).collect()
}

#[test]
fn the_last_failed_attempt_of_each_delivery_is_asked_for_and_the_oldest_first() {
    let listed = [
        attempt(9, "later", 900, Some(502)),
        attempt(8, "twice", 800, Some(500)),
        attempt(7, "done", 700, Some(200)),
        attempt(6, "under-way", 650, None),
        attempt(5, "under-way", 600, Some(504)),
        attempt(4, "twice", 400, Some(502)),
        attempt(3, "done", 300, Some(502)),
        attempt(2, "old", 200, Some(502)),
    ];
    assert_eq!(ids(&listed, 250), [8, 9]);
    assert_eq!(ids(&listed, 0), [2, 8, 9]);
    // Whatever succeeded once is with us.
    assert_eq!(ids(&[attempt(2, "a", 20, Some(500)), attempt(1, "a", 10, Some(204))], 0), [0; 0]);
    let unreadable = HookDelivery { delivered_at: "today".to_owned(), ..attempt(1, "a", 0, Some(500)) };
    assert_eq!(ids(&[unreadable], 0), [0; 0]);
}

#[test]
fn an_attempt_is_read_as_github_documents_it() {
    let text = r#"{"id":12345678,"guid":"0b989ba4-242f-11e5-81e1-c7b6966d2516","delivered_at":"2019-06-03T00:57:16Z",
        "redelivery":false,"duration":0.27,"status":"OK","status_code":200,"event":"issues","action":"opened",
        "installation_id":123,"repository_id":456,"throttled_at":"2019-06-03T00:57:16Z"}"#;
    let one: HookDelivery = serde_json::from_str(text).unwrap();
    assert_eq!((one.id, one.at(), one.is_success()), (12_345_678, Some((1_559_523_436, 0)), true));
}

proptest! {
    #[test]
    fn it_is_what_an_obvious_evaluator_says(
        attempts in prop::collection::vec((0..5_u8, 0..100_i64, prop::option::of(prop::sample::select(vec![200_u16, 201, 302, 404, 502]))), 0..30),
        since in 0..100_i64,
    ) {
        let listed: Vec<_> = (0..).zip(&attempts).map(|(id, (guid, at, code))| attempt(id, &guid.to_string(), *at, *code)).collect();
        let mut expected = Vec::new();
        for guid in 0..5_u8 {
            let of_it: Vec<_> = listed.iter().filter(|one| one.guid == guid.to_string()).collect();
            let is_open = of_it.iter().all(|one| one.status_code.is_some_and(|code| code >= 300));
            let last = of_it.iter().map(|one| (one.at().unwrap(), one.id)).max();
            expected.extend(last.filter(|(at, _)| is_open && *at >= (since, 0)));
        }
        expected.sort_unstable();
        let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
        prop_assert_eq!(ids(&listed, since), expected);
    }
}
