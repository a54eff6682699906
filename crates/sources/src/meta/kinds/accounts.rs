//! Changes of a WhatsApp business account itself: its templates, numbers, limits and standing. The platform makes them, so
//! most of them have no actor.

use common::activity::v1::{Activity, Actor, Object, Verb};
use common::json;
use common::whatsapp::v1 as whatsapp;

use super::{Entry, account, activity, entry, number, page_of, text, thing};
use crate::kind::{Kind, Time};
use crate::members::Members as _;

/// Message, the fields where they are not called as the message, the member that it is about, and the function that says what
/// it means.
macro_rules! kinds {
    ($($message:ident $(= $($name:literal)|+)? $(of $subject:literal)?: $activity:expr;)+) => {
        $(
            impl Kind for whatsapp::$message {
                $(const NAMES: &'static [&'static str] = &[$($name),+];)?

                $(fn subject(sent: &json::Object, _account: &str) -> Option<String> {
                    sent.text($subject)
                })?

                fn time(sent: &json::Object) -> Time {
                    Time::of(["timestamp", "updated_timestamp"].map(|name| sent.get(name)))
                }

                fn activities(&self) -> Vec<Activity> {
                    let made: fn(&Self, Object) -> Activity = $activity;
                    vec![made(self, page_of(account(&self.context)))]
                }
            }

            enveloped!(whatsapp::$message);
        )+

        /// By the field of a change.
        pub(super) static FIELDS: &[Entry] = &[$(entry::<whatsapp::$message>()),+];
    };
}

kinds! {
    MessageTemplateStatusUpdate of "message_template_id": template_status;
    MessageTemplateQualityUpdate of "message_template_id": |update, page| {
        let template = template(&update.message_template_id, &update.message_template_name);
        let quality = named("quality", &update.new_quality_score);
        Activity { instrument: quality, ..changed("", template, Some(page)) }
    };
    MessageTemplateComponentsUpdate of "message_template_id": |update, page| {
        let template = template(&update.message_template_id, &update.message_template_name);
        let words = text(&update.message_template_element).map(str::to_owned);
        Activity { text: words, verb: Verb::Edit.into(), ..changed("", template, Some(page)) }
    };
    TemplateCategoryUpdate = "template_category_update" | "template_correct_category_detection" of "message_template_id":
        |update, page| {
            let template = template(&update.message_template_id, &update.message_template_name);
            let category = named("category", &update.correct_category).or(named("category", &update.new_category));
            Activity { instrument: category, ..changed("", template, Some(page)) }
        };
    AccountUpdate: account_update;
    AccountAlert = "account_alerts" of "entity_id": alert;
    AccountReviewUpdate: |review, page| changed(said(&review.decision), with(page, said(&review.decision)), None);
    PhoneNumberNameUpdate of "display_phone_number": |update, page| {
        let number = with(number(&update.display_phone_number), said(&update.decision));
        Activity {
            instrument: named("name", &update.requested_verified_name),
            text: text(&update.rejection_reason).map(str::to_owned),
            ..changed(said(&update.decision), number, Some(page))
        }
    };
    PhoneNumberQualityUpdate of "display_phone_number": |update, page| {
        let limit = named("limit", &update.current_limit);
        let limit = limit.or(named("limit", &update.max_daily_conversations_per_business));
        let number = number(&update.display_phone_number);
        Activity { instrument: limit, ..changed(said(&update.event), number, Some(page)) }
    };
    BusinessCapabilityUpdate: |update, page| {
        let limit = named("limit", &update.max_daily_conversations_per_business);
        Activity { instrument: limit, ..changed("", page, None) }
    };
    BusinessUsernameUpdate of "display_phone_number": |update, page| {
        let number = with(number(&update.display_phone_number), said(&update.status));
        let instrument = named("username", &update.username);
        Activity { instrument, ..changed(said(&update.status), number, Some(page)) }
    };
    Security of "display_phone_number": |change, page| {
        let user = |id: &str| Actor { id: id.to_owned(), r#type: "user".to_owned(), ..Actor::default() };
        let number = number(&change.display_phone_number);
        Activity { actor: text(&change.requester).map(user), ..changed(said(&change.event), number, Some(page)) }
    };
    PaymentConfigurationUpdate of "configuration_name": |update, page| {
        let title = said(&update.configuration_name).to_owned();
        let payment = Object { title, ..thing("payment_configuration", None) };
        changed("", with(payment, said(&update.status)), Some(page))
    };
    PartnerSolution = "partner_solutions" of "solution_id": |change, page| {
        let solution = with(thing("solution", text(&change.solution_id)), said(&change.solution_status));
        changed(said(&change.event), solution, Some(page))
    };
    FlowUpdate = "flows" of "flow_id": |update, page| {
        let flow = with(thing("flow", text(&update.flow_id)), said(&update.new_status));
        Activity { text: text(&update.message).map(str::to_owned), ..changed(said(&update.event), flow, Some(page)) }
    };
}

fn said(field: &Option<String>) -> &str {
    text(field).unwrap_or_default()
}

/// What the platform changed. `action` is its own word; without one it is the field.
fn changed(action: &str, object: Object, target: Option<Object>) -> Activity {
    Activity { action: action.to_owned(), target, ..activity(Verb::Update, object) }
}

/// This, in the state that the platform sends in capitals.
fn with(object: Object, status: &str) -> Object {
    Object { status: status.to_lowercase(), ..object }
}

/// What has a name and no id.
fn named(r#type: &str, name: &Option<String>) -> Option<Object> {
    text(name).map(|name| Object { title: name.to_owned(), ..thing(r#type, None) })
}

fn template(id: &Option<String>, name: &Option<String>) -> Object {
    Object { title: said(name).to_owned(), ..thing("template", text(id)) }
}

fn template_status(update: &whatsapp::MessageTemplateStatusUpdate, page: Object) -> Activity {
    let (rejected, other) = (update.rejection_info.as_ref(), update.other_info.as_ref());
    let reasons = [
        text(&update.reason).filter(|reason| *reason != "NONE"),
        rejected.and_then(|rejected| text(&rejected.reason)),
        other.and_then(|other| text(&other.description).or(text(&other.title))),
    ];
    let reasons: Vec<_> = reasons.into_iter().flatten().collect();
    let template = template(&update.message_template_id, &update.message_template_name);
    let verb = if said(&update.event) == "DELETED" { Verb::Delete } else { Verb::Update };
    Activity {
        verb: verb.into(),
        text: (!reasons.is_empty()).then(|| reasons.join(": ")),
        instrument: named("category", &update.message_template_category),
        ..changed(said(&update.event), with(template, said(&update.event)), Some(page))
    }
}

fn account_update(update: &whatsapp::AccountUpdate, page: Object) -> Activity {
    let ban = update.ban_info.as_ref().map_or("", |ban| said(&ban.waba_ban_state));
    let verb = match (ban, said(&update.event)) {
        ("DISABLE", _) => Verb::Block,
        ("REINSTATE", _) => Verb::Unblock,
        (_, "ACCOUNT_DELETED") => Verb::Delete,
        _ => Verb::Update,
    };
    let violation = update.violation_info.as_ref().and_then(|violation| text(&violation.violation_type));
    let restrictions = update.restriction_info.iter().filter_map(|restriction| text(&restriction.restriction_type));
    let reasons: Vec<_> = violation.into_iter().chain(restrictions).collect();
    let partner = update.waba_info.as_ref().and_then(|info| {
        let app = text(&info.partner_app_id).map(|id| thing("app", Some(id)));
        app.or(text(&info.owner_business_id).map(|id| thing("business", Some(id))))
    });
    let instrument = text(&update.phone_number).map(|_| number(&update.phone_number)).or(partner);
    Activity {
        verb: verb.into(),
        text: (!reasons.is_empty()).then(|| reasons.join(", ")),
        instrument,
        ..changed(said(&update.event), with(page, ban), None)
    }
}

fn alert(alert: &whatsapp::AccountAlert, page: Object) -> Activity {
    let info = alert.alert_info.as_ref();
    let of =
        |new: fn(&whatsapp::AlertInfo) -> &Option<String>, old| info.and_then(|info| text(new(info))).or(text(old));
    let title = of(|info| &info.alert_type, &alert.alert_type).unwrap_or_default().to_owned();
    let status = of(|info| &info.alert_status, &alert.alert_status).unwrap_or_default();
    let words = of(|info| &info.alert_description, &alert.alert_description).map(str::to_owned);
    let action = title.clone();
    let object = with(Object { title, ..thing("alert", None) }, status);
    Activity { text: words, ..changed(&action, object, Some(page)) }
}
