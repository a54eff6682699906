use common::event::v1::TimeQuality;
use common::github::v1::{Gollum, Star, WikiPage};
use common::json::Value;
use common::registration::v1::{Account, Registration, registration::Kind};
use common::registrations::Registrations;

use super::*;

fn delivery() -> Delivery {
    Delivery {
        delivery_id: "d1".to_owned(),
        endpoint: "gate".to_owned(),
        tenant: "acme".to_owned(),
        received_at: Some(time::from_seconds(1_767_600_000)),
        ..Delivery::default()
    }
}

fn draft(time: Time) -> Draft {
    Draft {
        platform: "github",
        id: Id([7; 16]),
        index: 3,
        account_id: "42".to_owned(),
        subject: "42/issue/1".to_owned(),
        time,
        sent: Sent::new(),
        frame: Frame::default(),
    }
}

fn at_time(time: prost_types::Timestamp) -> Time {
    Time { sent: vec![Some(time)], reported: None }
}

fn unreadable() -> Time {
    Time { sent: vec![None], reported: None }
}

fn registered(endpoint: &str, account_id: &str) -> Registrations {
    let account = Account { endpoint: endpoint.to_owned(), account_id: account_id.to_owned() };
    let registration =
        Registration { tenant: "page-owner".to_owned(), kind: Some(Kind::Account(account)), ..Registration::default() };
    let mut registrations = Registrations::default();
    registrations.apply("", Some(registration));
    registrations
}

#[test]
fn activities_get_ids_ordinals_context_and_time() {
    let at = time::from_seconds(1_767_599_000);
    let second = WikiPage { summary: Some("second".to_owned()), ..WikiPage::default() };
    let two = Gollum { pages: vec![WikiPage::default(), second], ..Gollum::default() };
    let event = draft(at_time(at)).typed(&delivery(), &Registrations::default(), two);
    let id = "07".repeat(16);
    let gollum = Gollum::decode(event.payload.as_slice()).unwrap();
    let context = gollum.context.unwrap();
    assert_eq!(context.event_id, id);
    assert_eq!((context.source.as_str(), context.endpoint.as_str(), context.index), ("github", "gate", 3));
    assert_eq!((context.delivery_id.as_str(), context.received_at), ("d1", delivery().received_at));
    assert_eq!((context.occurred_at, context.time_quality()), (Some(at), TimeQuality::Sent));
    assert_eq!((event.topic.as_ref(), event.ce_type.as_str()), ("events.github.gollum", "weir.github.v1.Gollum"));
    assert_eq!((event.occurred_at, event.index, event.subject.as_str()), (Some(at), 3, "42/issue/1"));
    assert_eq!(event.activities.len(), 2);
    for (ordinal, activity) in (0..).zip(&event.activities) {
        assert_eq!(activity.id, format!("{id}-{ordinal}"));
        assert_eq!(activity.ordinal, ordinal);
        assert_eq!(activity.context.as_ref(), Some(&context));
        assert_eq!(activity.event_type, "weir.github.v1.Gollum");
        assert_eq!(activity.occurred_at, Some(at));
    }
    assert_eq!(event.activities[1].text.as_deref(), Some("second"));
}

#[test]
fn the_tenant_is_the_accounts_else_the_endpoints() {
    for (registrations, tenant) in [
        (registered("gate", "42"), "page-owner"),
        (registered("gate", "43"), "acme"),
        (registered("other", "42"), "acme"),
    ] {
        let event = draft(Time::default()).other(&delivery(), &registrations, "k", "{}".to_owned(), String::new());
        let other = Other::decode(event.payload.as_slice()).unwrap();
        assert_eq!((event.tenant.as_str(), other.context.unwrap().tenant.as_str()), (tenant, tenant));
    }
}

#[test]
fn an_unknown_kind_is_kept_whole_with_what_is_known_of_it() {
    let mut draft = draft(unreadable());
    draft.frame.action = "made".to_owned();
    draft.frame.account = Some(Object { id: "42".to_owned(), ..Object::default() });
    let event = draft.other(&delivery(), &Registrations::default(), "new", "{\"a\": 1}".to_owned(), "{}".to_owned());
    assert_eq!((event.topic.as_ref(), event.ce_type.as_str()), ("events.github.other", "weir.event.v1.Other"));
    let other = Other::decode(event.payload.as_slice()).unwrap();
    assert_eq!((other.kind.as_str(), other.json.as_str(), other.envelope.as_str()), ("new", "{\"a\": 1}", "{}"));
    assert_eq!(other.context.unwrap().time_quality(), TimeQuality::Unreadable);
    let [activity] = &event.activities[..] else { panic!("{event:?}") };
    assert_eq!((activity.verb(), activity.action.as_str(), event.occurred_at), (Verb::Other, "made", None));
    assert_eq!(activity.object.as_ref().map(|object| object.r#type.as_str()), Some("new"));
    assert_eq!(activity.account.as_ref().map(|account| account.id.as_str()), Some("42"));
    assert_eq!((activity.event_type.as_str(), activity.ordinal), ("weir.event.v1.Other", 0));
}

#[test]
fn an_absurd_time_is_none_and_never_now() {
    for (time, quality) in [
        (Time::default(), TimeQuality::Missing),
        (unreadable(), TimeQuality::Unreadable),
        (at_time(time::from_seconds(0)), TimeQuality::Absurd),
        (at_time(time::from_seconds(1_767_600_000 + 90_000)), TimeQuality::Absurd),
    ] {
        let event = draft(time).typed(&delivery(), &Registrations::default(), Star::default());
        let context = Star::decode(event.payload.as_slice()).unwrap().context.unwrap();
        assert_eq!((event.occurred_at, context.occurred_at, context.time_quality()), (None, None, quality));
    }
}

#[test]
fn an_account_is_called_as_the_platform_does_or_as_it_is_registered() {
    let named = |title: &str, registrations: &Registrations| {
        let account = Object { title: title.to_owned(), ..Object::default() };
        let frame = Frame { account: Some(account), ..Frame::default() };
        let draft = Draft { frame, ..draft(Time::default()) };
        let event = draft.other(&delivery(), registrations, "new", "{}".to_owned(), String::new());
        event.activities[0].account.as_ref().unwrap().title.clone()
    };
    let mut registrations = Registrations::default();
    let account = Account { endpoint: "gate".to_owned(), account_id: "42".to_owned() };
    let metadata = [(crate::tenants::NAME.to_owned(), "Bakery".to_owned())].into();
    let registration = Registration { kind: Some(Kind::Account(account)), metadata, ..Registration::default() };
    registrations.apply("", Some(registration));
    assert_eq!(named("", &registrations), "Bakery");
    assert_eq!(named("The Bakery", &registrations), "The Bakery");
    assert_eq!(named("", &Registrations::default()), "");
}

#[test]
fn the_time_of_sending_stands_in_and_says_so() {
    let sent = Value::from(1_767_599_999);
    for time in [Time::default(), unreadable(), at_time(time::from_seconds(0))] {
        let event = draft(time.reported(Some(&sent))).typed(&delivery(), &Registrations::default(), Star::default());
        let context = Star::decode(event.payload.as_slice()).unwrap().context.unwrap();
        let at = Some(time::from_seconds(1_767_599_999));
        assert_eq!((event.occurred_at, context.occurred_at, context.time_quality()), (at, at, TimeQuality::Reported));
    }
    assert_eq!(Time::default().reported(Some(&Value::Null)), Time::default());
}
