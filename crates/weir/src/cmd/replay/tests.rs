use clap::Parser as _;
use common::deadletter::v1::{MissingEvents, NotSent, RawCounts, RawExample};
use common::time::from_rfc3339;

use super::*;
use crate::cmd::Cli;

#[test]
fn wrong_arguments_are_told_with_what_would_be_right() {
    for (arguments, says) in [
        (&["raw"][..], &["--from"][..]),
        (&["raw", "--from", "yesterday"], &["yesterday", "2026-01-31T10:00:00Z", "12h"]),
        (&["raw", "--from", "1h", "--to", "10:00"], &["10:00", "offset"]),
        (&["raw", "--from", "1h", "--rate", "0"], &["rate"]),
        (&["raw", "--from", "1h", "--yes", "--dry-run"], &["cannot be used with"]),
        (&["events", "--from", "1h"], &["events"]),
    ] {
        let told = Cli::try_parse_from([&["weir", "replay"], arguments].concat()).unwrap_err().to_string();
        for word in says {
            assert!(told.contains(word), "{arguments:?} does not say {word}:\n{told}");
        }
    }
    assert!(
        Cli::try_parse_from(["weir", "replay", "raw", "--from", "2h", "--endpoint", "a", "--endpoint", "b"]).is_ok()
    );
}

fn answer() -> ReplayRawResponse {
    let at = |text: &str| from_rfc3339(text);
    let missing = |endpoint: &str, name: &str, count| MissingEvents {
        endpoint: endpoint.into(),
        r#type: format!("weir.github.v1.{name}"),
        count,
    };
    ReplayRawResponse {
        replay_id: "f".repeat(32),
        counts: Some(RawCounts {
            deliveries: 120_400,
            unchanged: 130_012,
            missing: 1204,
            refused: 31,
            waiting: 7,
            first: at("2026-01-30T22:00:00.123Z"),
            last: at("2026-01-31T05:59:59.9Z"),
            looked_for: 1204,
            came_out: 1203,
        }),
        selected: 1206,
        sent: 1200,
        missing: vec![missing("my-app", "Push", 4), missing("my-repo", "Push", 1200)],
        not_sent: vec![NotSent {
            reason: "too_old".into(),
            message: "why, and what to do".into(),
            count: 6,
            ids: vec!["a".into(), "b".into()],
        }],
        examples: vec![RawExample {
            delivery_id: "0123456789abcdef0123456789abcdef".into(),
            endpoint: "my-repo".into(),
            received_at: at("2026-01-30T22:00:00.123Z"),
            missing: 3,
        }],
        waits_for_processing: false,
        done: true,
    }
}

#[test]
fn a_replay_says_what_it_would_do_and_what_it_did() {
    insta::assert_snapshot!("would_replay", show::would_replay(&answer(), 100));
    insta::assert_snapshot!("replayed", show::replayed(&answer()));
}

#[test]
fn where_nothing_is_missing_that_is_all_it_says() {
    let counts = RawCounts { deliveries: 12, unchanged: 20, ..answer().counts.unwrap() };
    let counts = RawCounts { missing: 0, refused: 0, waiting: 0, looked_for: 0, came_out: 0, ..counts };
    let all_out = ReplayRawResponse { counts: Some(counts), done: true, ..ReplayRawResponse::default() };
    insta::assert_snapshot!("all_is_out", show::would_replay(&all_out, 100));
    insta::assert_snapshot!("no_delivery", show::would_replay(&ReplayRawResponse::default(), 100));
}
