use clap::Parser as _;
use platforms::{CallFailure, PageResubscription, Platform, RedeliveryAttempt};

use super::*;
use crate::cmd::Cli;

#[test]
fn arguments_are_what_the_pages_say() {
    let parse =
        |arguments: &str| Cli::try_parse_from(arguments.split(' ')).map(drop).map_err(|error| error.to_string());
    for right in [
        "weir platforms check",
        "weir platforms check a b --json --config weir.toml",
        "weir platforms redeliver ci --since 2h --dry-run",
        "weir platforms subscribe my-app",
    ] {
        assert_eq!(parse(right), Ok(()));
    }
    for (wrong, named) in [
        ("weir platforms redeliver ci", "--since"),
        ("weir platforms redeliver ci --since 2", "12h"),
        ("weir platforms redeliver ci --since 2h --most 0", "most"),
        ("weir platforms subscribe", "ENDPOINT"),
    ] {
        assert!(parse(wrong).unwrap_err().contains(named), "{wrong}");
    }
}

#[test]
fn a_check_says_what_to_do_with_the_name_of_the_endpoint() {
    let active = PlatformAnswer::Active { platform: Platform::Meta, last: None };
    assert_eq!(checked("my-app", &active), "my-app: present: Meta has the subscription active");
    let gone = PlatformAnswer::PagesUnsubscribed { pages: vec!["7".to_owned()], asked: 1 };
    assert_eq!(
        checked("my-app", &gone),
        "my-app: absent: the page's subscription is gone: page 7. Subscribe again: weir platforms subscribe my-app. If it \
         goes again, look who administers the page."
    );
    assert!(checked("x", &PlatformAnswer::NotAsked).starts_with("x: unknown: the platform was not asked"));
}

#[test]
fn a_redelivery_says_what_was_asked_for_and_why_it_ended() {
    let attempt = |guid: &str, outcome| RedeliveryAttempt {
        id: 1,
        guid: guid.to_owned(),
        event: "push".to_owned(),
        delivered_at: "2026-01-31T10:00:00Z".to_owned(),
        status_code: 502,
        outcome,
    };
    let done = Redelivery {
        dry_run: false,
        listed: 1000,
        all_listed: false,
        attempts: vec![
            attempt("a", RedeliveryOutcome::Asked),
            attempt("b", RedeliveryOutcome::Failed(CallFailure::RateLimited { again_after_s: Some(60) })),
        ],
        left: 3,
        stopped: Some(RedeliveryStop::Failed(CallFailure::RateLimited { again_after_s: Some(60) })),
    };
    let text = "asked GitHub for 1 of 5 failed deliveries (1000 attempts listed, and there are more)\n  \
                2026-01-31T10:00:00Z  502  push  a  asked for\n  \
                2026-01-31T10:00:00Z  502  push  b  not asked for: the rate limit is reached for 60 s\n\
                ended early: the rate limit is reached for 60 s";
    assert_eq!(redelivered(&done), text);
    let would = Redelivery {
        dry_run: true,
        all_listed: true,
        attempts: vec![attempt("a", RedeliveryOutcome::WouldAsk)],
        left: 1,
        stopped: None,
        ..done
    };
    let text = "would ask GitHub for 1 of 2 failed deliveries (1000 attempts listed)\n  \
                2026-01-31T10:00:00Z  502  push  a  would be asked for\n\
                for the others: give a larger --most, or run it again";
    assert_eq!(redelivered(&would), text);
}

#[test]
fn a_subscription_says_what_came_of_each_page() {
    let page = |id: &str, outcome| PageResubscription { page: id.to_owned(), fields: vec!["feed".to_owned()], outcome };
    let done = Resubscription {
        dry_run: false,
        pages: vec![
            page("1", PageOutcome::AlreadySubscribed),
            page("2", PageOutcome::Subscribed),
            page("3", PageOutcome::Failed(CallFailure::RateLimited { again_after_s: None })),
            page("4", PageOutcome::NotTried),
        ],
    };
    assert_eq!(
        subscribed(&done),
        "page 1: already subscribed to feed\npage 2: subscribed to feed\npage 3: not subscribed: the rate limit is reached\n\
         page 4: not tried after what was said before"
    );
    assert!(subscribed(&Resubscription { dry_run: true, pages: Vec::new() }).starts_with("no pages"));
}
