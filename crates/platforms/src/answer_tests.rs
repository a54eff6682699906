use super::*;

fn last(code: Option<u16>, message: &str) -> Option<LastResponse> {
    Some(LastResponse { code, message: message.to_owned() })
}

#[test]
fn each_answer_has_a_state_a_sentence_and_what_to_do() {
    use SubscriptionState::{Absent, Inactive, Present, Unknown};
    let (meta, github) = (Platform::Meta, Platform::GitHub);
    let (page, object) = (Some("7".to_owned()), "page".to_owned());
    let pages = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
    let said = "Bad credentials".to_owned();
    for (answer, state, sentence, advice) in [
        (
            PlatformAnswer::Active { platform: meta, last: None },
            Present,
            "Meta has the subscription active",
            "The platform has it active",
        ),
        (
            PlatformAnswer::Active { platform: github, last: None },
            Present,
            "GitHub's hook is active",
            "The platform has it active",
        ),
        (
            PlatformAnswer::Active { platform: github, last: last(Some(200), "OK") },
            Present,
            "GitHub's hook is active, its last response was 200",
            "The platform has it active and nobody sends: look at the sender.",
        ),
        (
            PlatformAnswer::Active { platform: github, last: last(Some(502), "Invalid HTTP Response: 502") },
            Present,
            "GitHub's hook is active, its last response was 502",
            "The platform sends and is not answered with 2xx",
        ),
        (
            PlatformAnswer::PagesUnsubscribed { pages: pages(&["7"]), asked: 1 },
            Absent,
            "the page's subscription is gone: page 7",
            "Subscribe again: weir platforms subscribe ENDPOINT.",
        ),
        (
            PlatformAnswer::PagesUnsubscribed { pages: pages(&["1", "2", "3", "4"]), asked: 9 },
            Absent,
            "the subscription of 4 of 9 pages is gone: 1, 2, 3, and 1 more",
            "Subscribe again",
        ),
        (
            PlatformAnswer::FieldsMissing { page, fields: pages(&["feed"]) },
            Absent,
            "the subscription of page 7 lacks feed",
            "Subscribe again",
        ),
        (
            PlatformAnswer::FieldsMissing { page: None, fields: pages(&["feed", "mention"]) },
            Absent,
            "the app's subscription lacks feed, mention",
            "Subscribe the app again",
        ),
        (
            PlatformAnswer::AppUnsubscribed { object: object.clone() },
            Absent,
            "the app has no subscription to page",
            "Subscribe the app",
        ),
        (
            PlatformAnswer::AppInactive { object },
            Inactive,
            "the app's subscription to page is inactive",
            "Subscribe the app again",
        ),
        (
            PlatformAnswer::OtherUrl { platform: meta, url: "https://old.example.org/x".to_owned() },
            Absent,
            "Meta sends to another URL: https://old.example.org/x",
            "Set the URL",
        ),
        (PlatformAnswer::HookGone, Absent, "GitHub's hook is gone", "Create the webhook again"),
        (
            PlatformAnswer::HookInactive { last: last(Some(502), "") },
            Inactive,
            "GitHub's hook is inactive, its last response was 502",
            "Set the webhook active",
        ),
        (
            PlatformAnswer::HookInactive { last: last(None, "timed out") },
            Inactive,
            "GitHub's hook is inactive, its last response was none (timed out)",
            "Set the webhook active",
        ),
        (
            PlatformAnswer::NotAsked,
            Unknown,
            "the platform was not asked: platforms.endpoints has no credentials for it",
            "",
        ),
        (
            PlatformAnswer::Unknown { platform: github, why: CallFailure::TokenRefused { status: 401, said } },
            Unknown,
            "GitHub was asked, without result: the token was refused with 401: Bad credentials",
            "",
        ),
    ] {
        assert_eq!((answer.state(), answer.to_string().as_str()), (state, sentence));
        assert!(answer.advice().unwrap_or_default().starts_with(advice), "{answer}: {:?}", answer.advice());
        assert_eq!(answer.advice().is_none(), state == Unknown);
    }
}

#[test]
fn each_failure_has_a_sentence() {
    let said = || "why".to_owned();
    for (failure, is_unsure, sentence) in [
        (CallFailure::Late { limit_ms: 1500 }, true, "no answer within 1.5 s"),
        (CallFailure::Unreachable { problem: said() }, true, "not reachable: why"),
        (CallFailure::RateLimited { again_after_s: Some(60) }, false, "the rate limit is reached for 60 s"),
        (CallFailure::RateLimited { again_after_s: None }, false, "the rate limit is reached"),
        (CallFailure::NotFound { said: String::new() }, false, "not there, or the token may not see it"),
        (CallFailure::Moved { status: 301 }, false, "it has moved (301), and redirects are not followed"),
        (CallFailure::Refused { status: 502, said: said() }, true, "the answer was 502: why"),
        (CallFailure::Refused { status: 422, said: said() }, false, "the answer was 422: why"),
        (CallFailure::Unreadable { problem: said() }, true, "the answer cannot be read: why"),
    ] {
        assert_eq!((failure.to_string().as_str(), failure.is_unsure()), (sentence, is_unsure));
    }
}
