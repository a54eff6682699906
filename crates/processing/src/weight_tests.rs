use common::raw::v1::Delivery;
use prost::Message as _;
use prost_types::Timestamp;

use super::*;

fn weight(source: &str, body: &str) -> Weight {
    let delivery = Delivery {
        delivery_id: "d".into(),
        source: source.into(),
        endpoint: "e".into(),
        tenant: "t".into(),
        received_at: Some(Timestamp::default()),
        body: body.to_owned().into(),
        ..Delivery::default()
    };
    of(Some(&delivery.encode_to_vec().into()), Limit::default())
}

#[test]
fn many_values_in_few_bytes_are_refused() {
    let commits = |commit: &str, count: usize| format!(r#"{{"commits":[{}]}}"#, vec![commit; count].join(","));
    for (source, body) in [
        ("github", commits("{}", 700_000)),
        ("github", commits(r#"{"a":1}"#, 250_000)),
        ("github", format!("payload={}", commits("%7B%7D", 700_000).replace('{', "%7B"))),
        ("standard_webhooks", commits("1", 1_000_000)),
        ("meta", format!(r#"{{"entry":[{{"id":"1","changes":[{}1]}}]}}"#, "1,".repeat(500_000))),
        ("meta", format!(r#"{{"entry":[{}1]}}"#, "1,".repeat(500_000))),
    ] {
        let weight = weight(source, &body);
        let why = weight.too_much.expect(source);
        assert!(why.contains(&body.len().to_string()) && why.contains("body_memory_factor"), "{why}");
        assert!(weight.bytes < 5 * body.len() as u64, "it is not read: {}", weight.bytes);
    }
}

#[test]
fn few_values_weigh_what_they_take() {
    let file = r#""src/some/folder/of_a_project/file_with_a_name.rs","#;
    let commit = format!(
        r#"{{"id":"{0}","tree_id":"{0}","distinct":true,"message":"Words about it","timestamp":"2026-01-31T10:00:00Z","url":"https://github.com/ada/engine/commit/{0}","author":{{"name":"Ada","email":"ada@example.com","username":"ada"}},"committer":{{"name":"Ada","email":"ada@example.com","username":"ada"}},"added":[],"removed":[],"modified":[{1}"x"]}}"#,
        "0123456789abcdef0123456789abcdef01234567",
        file.repeat(5),
    );
    let body = format!(r#"{{"commits":[{}]}}"#, vec![commit; 24_000].join(","));
    assert!(body.len() > 15 << 20, "{}", body.len());
    let push = weight("github", &body);
    assert_eq!(push.too_much, None);
    assert!(push.bytes > 4 * body.len() as u64 && push.bytes < 17 * body.len() as u64, "{}", push.bytes);
    let small =
        weight("meta", r#"{"object":"page","entry":[{"id":"7","changes":[{"field":"feed","value":{"a":1}}]}]}"#);
    assert!(small.too_much.is_none() && small.bytes < 32 * 1024, "{small:?}");
}
