use clap::Parser as _;
use common::deadletter::v1::{DeadLetter, Found, HourCount, KindCount, NotSent, ReplayResponse, StatsResponse, ToSend};
use common::time::{from_millis, from_rfc3339};

use super::*;
use crate::cmd::Cli;

const ID: &str = "0123456789abcdef0123456789abcdef";

fn refused(arguments: &[&str]) -> String {
    Cli::try_parse_from([&["weir", "dead-letters"], arguments].concat()).unwrap_err().to_string()
}

#[test]
fn wrong_arguments_are_told_with_what_would_be_right() {
    for (arguments, says) in [
        (&["list", "--stage", "procesing"][..], &["procesing", "processing", "enricher", "loader"][..]),
        (&["list", "--since", "yesterday"], &["yesterday", "2026-01-31T10:00:00Z", "12h"]),
        (&["stats", "--until", "10:00"], &["10:00", "offset"]),
        (&["show", "12"], &["12", "32 digits"]),
        (&["replay", "--id", "x"], &["32 digits"]),
        (&["replay", "--all", "--rate", "0"], &["rate"]),
        (&["replay", "--all", "--yes", "--dry-run"], &["cannot be used with"]),
        (&["list", "-n", "1001"], &["1001", "1000"]),
    ] {
        let told = refused(arguments);
        for word in says {
            assert!(told.contains(word), "{arguments:?} does not say {word}:\n{told}");
        }
    }
    assert!(Cli::try_parse_from(["weir", "dead-letters", "list", "--stage", "loader", "--since", "2h"]).is_ok());
}

#[test]
fn a_time_is_one_or_how_long_ago() {
    let now = SystemTime::try_from(from_rfc3339("2026-01-31T10:00:00Z").unwrap()).unwrap();
    assert_eq!(time_of("2h", now).unwrap(), from_rfc3339("2026-01-31T08:00:00Z").unwrap());
    assert_eq!(time_of("2026-01-30T00:00:00+01:00", now).unwrap(), from_rfc3339("2026-01-29T23:00:00Z").unwrap());
    assert!(time_of("2026-01-30", now).is_err());
}

fn found(reason: &str, endpoint: &str) -> Found {
    Found {
        dead_letter: Some(DeadLetter {
            id: ID.into(),
            stage: "processing".into(),
            reason: reason.into(),
            source: "meta".into(),
            endpoint: endpoint.into(),
            attempts: 1,
            failed_at: from_rfc3339("2026-01-31T10:00:00.123Z"),
            ..DeadLetter::default()
        }),
        payload_bytes: 1234,
        ..Found::default()
    }
}

#[test]
fn a_list_has_a_line_for_each() {
    insta::assert_snapshot!("list", show::table(&[found("not_json", "my-app"), found("too_large", "")]));
}

#[test]
fn stats_count_by_each_name_and_hour() {
    let kind = |reason: &str, endpoint: &str, count: u64, refused_again: u64| KindCount {
        stage: "processing".into(),
        reason: reason.into(),
        source: "meta".into(),
        endpoint: endpoint.into(),
        count,
        refused_again,
        last: Some(from_millis(1_769_853_600_000 + i64::try_from(count).unwrap() * 1000)),
        ..KindCount::default()
    };
    let hour = |n: i64, count| HourCount { hour: Some(from_millis(1_769_850_000_000 + n * 3_600_000)), count };
    let answer = StatsResponse {
        count: 1205,
        kinds: vec![kind("not_json", "my-app", 1200, 0), kind("too_large", "my-app", 3, 1), kind("empty", "b", 2, 0)],
        hours: vec![hour(0, 5), hour(1, 1200)],
        replays: 2,
        replayed: 31,
        ..StatsResponse::default()
    };
    insta::assert_snapshot!("stats", show::stats(&answer));
    insta::assert_snapshot!("stats_of_none", show::stats(&StatsResponse::default()));
}

#[test]
fn a_replay_says_what_it_would_do_and_what_it_did() {
    let not_sent = |reason: &str, count, ids: &[&str]| NotSent {
        reason: reason.into(),
        message: "why, and what to do".into(),
        count,
        ids: ids.iter().map(|id| (*id).to_owned()).collect(),
    };
    let answer = ReplayResponse {
        replay_id: "f".repeat(32),
        selected: 1010,
        sent: 1003,
        records: 1001,
        to_send: vec![ToSend { stage: "processing".into(), reason: "too_large".into(), count: 1003 }],
        not_sent: vec![not_sent("original_gone", 6, &["a", "b"]), not_sent("too_old", 1, &["c"])],
        examples: vec![found("too_large", "my-app")],
        done: true,
        ..ReplayResponse::default()
    };
    insta::assert_snapshot!("would_replay", show::would_replay(&answer, 100));
    insta::assert_snapshot!("replayed", show::replayed(&answer));
}

#[test]
fn replays_are_listed_with_what_they_selected() {
    let at = from_rfc3339("2026-01-31T10:00:00Z");
    let selection = Selection { reason: "not_json".into(), from: at, ..Selection::default() };
    let one = common::deadletter::v1::Replay {
        id: ID.into(),
        requested_by: "ada".into(),
        started_at: at,
        ended_at: at,
        selection: Some(selection),
        selected: 12,
        sent: 12,
        ..Default::default()
    };
    let broken = common::deadletter::v1::Replay {
        interrupted: "the client that requested it disconnected".into(),
        ..one.clone()
    };
    let under_way = common::deadletter::v1::Replay { ended_at: None, all: true, limit: 5, ..one.clone() };
    let raw = common::deadletter::v1::RawSelection {
        from: at,
        until: at,
        endpoints: vec!["my-app".into()],
        source: "github".into(),
    };
    let raw = common::deadletter::v1::Replay { selection: None, raw: Some(raw), ..one.clone() };
    insta::assert_snapshot!("replays", show::replays(&[one, broken, under_way, raw]));
}
