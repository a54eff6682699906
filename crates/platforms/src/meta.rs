//! The Graph API: subscriptions of an app, and of its pages.

use std::collections::BTreeSet;

use bytes::Bytes;
use futures_util::future::join_all;
use http::Response;
use serde::Deserialize;
use service::Secret;

use crate::answer::{CallFailure, Platform, PlatformAnswer};
use crate::api::{Api, Judged, JudgedKind, leads_elsewhere, read, shown};
use crate::remedy::{PageOutcome, PageResubscription, Resubscription};
use crate::settings::{MetaPageSettings, MetaSettings, PlatformsSettings};

/// Calls at once.
const AT_ONCE: usize = 8;
/// Lists that are read further than this are no lists of apps.
const MOST_LISTS: usize = 5;

/// An endpoint at Meta.
#[derive(Debug)]
pub(crate) struct Meta {
    api: Api,
    settings: MetaSettings,
    callback_url: Option<String>,
}

#[derive(Deserialize)]
struct Listed<T> {
    data: Vec<T>,
    paging: Option<Paging>,
}

#[derive(Deserialize)]
struct Paging {
    cursors: Option<Cursors>,
    /// There is more.
    next: Option<String>,
}

#[derive(Deserialize)]
struct Cursors {
    after: Option<String>,
}

impl<T> Listed<T> {
    /// Where the next part begins.
    fn end(self) -> Option<String> {
        let paging = self.paging.filter(|paging| paging.next.is_some())?;
        paging.cursors?.after
    }
}

/// One of the apps of a page.
#[derive(Deserialize)]
struct SubscribedApp {
    id: String,
    #[serde(default)]
    subscribed_fields: Vec<Field>,
}

/// One of the subscriptions of an app.
#[derive(Deserialize)]
struct AppSubscription {
    object: String,
    callback_url: Option<String>,
    active: Option<bool>,
    #[serde(default)]
    fields: Vec<Field>,
}

/// Pages have names, apps have names with versions.
#[derive(Deserialize)]
#[serde(untagged)]
enum Field {
    Name(String),
    Versioned { name: String },
}

impl Field {
    fn name(self) -> String {
        match self {
            Self::Name(name) | Self::Versioned { name } => name,
        }
    }
}

#[derive(Deserialize)]
struct Done {
    success: Success,
}

/// Documented as a text, and sent as one or the other.
#[derive(Deserialize)]
#[serde(untagged)]
enum Success {
    Bool(bool),
    Text(String),
}

#[derive(Deserialize)]
struct Refusal {
    error: GraphError,
}

#[derive(Deserialize)]
struct GraphError {
    #[serde(default)]
    message: String,
    code: Option<i64>,
    error_subcode: Option<i64>,
}

impl Meta {
    pub(crate) fn new(all: &PlatformsSettings, settings: &MetaSettings, callback_url: Option<&String>) -> Self {
        let api = Api::new(all, &all.meta_url, &[], judge);
        Self { api, settings: settings.clone(), callback_url: callback_url.cloned() }
    }

    /// Asks for the app, and if that is well for each page.
    pub(crate) async fn check(&self) -> PlatformAnswer {
        let platform = Platform::Meta;
        let mut unknown = None;
        if let Some(token) = &self.settings.app_token {
            match self.app(token).await {
                Ok(None) => {}
                Ok(Some(wrong)) => return wrong,
                Err(why) => unknown = Some(why),
            }
        }
        let (mut gone, mut lacking) = (Vec::new(), None);
        for pages in self.settings.pages.chunks(AT_ONCE) {
            let asking = pages.iter().map(|page| self.fields_of(page));
            for (page, fields) in pages.iter().zip(join_all(asking).await) {
                match fields {
                    Err(why) => unknown = unknown.or(Some(why)),
                    Ok(None) => gone.push(page.id.clone()),
                    Ok(Some(has)) => {
                        let fields: Vec<_> =
                            page.fields.iter().filter(|field| !has.contains(*field)).cloned().collect();
                        if !fields.is_empty() && lacking.is_none() {
                            lacking = Some(PlatformAnswer::FieldsMissing { page: Some(page.id.clone()), fields });
                        }
                    }
                }
            }
        }
        if !gone.is_empty() {
            return PlatformAnswer::PagesUnsubscribed { pages: gone, asked: self.settings.pages.len() };
        }
        match (lacking, unknown) {
            (Some(lacking), _) => lacking,
            (None, Some(why)) => PlatformAnswer::Unknown { platform, why },
            (None, None) => PlatformAnswer::Active { platform, last: None },
        }
    }

    /// What is wrong with the subscription of the app.
    async fn app(&self, token: &Secret) -> Result<Option<PlatformAnswer>, CallFailure> {
        let MetaSettings { app_id, object, pages, .. } = &self.settings;
        let answer = self.api.get(&[app_id, "subscriptions"], &[], token).await?;
        let all: Listed<AppSubscription> = read(&answer)?;
        let object = object.clone();
        let Some(one) = all.data.into_iter().find(|one| one.object == object) else {
            return Ok(Some(PlatformAnswer::AppUnsubscribed { object }));
        };
        if one.active == Some(false) {
            return Ok(Some(PlatformAnswer::AppInactive { object }));
        }
        let elsewhere = one.callback_url.as_ref().filter(|url| leads_elsewhere(self.callback_url.as_ref(), url));
        if let Some(url) = elsewhere {
            return Ok(Some(PlatformAnswer::OtherUrl { platform: Platform::Meta, url: shown(url, token) }));
        }
        let has: BTreeSet<_> = one.fields.into_iter().map(Field::name).collect();
        let wanted: BTreeSet<_> = pages.iter().flat_map(|page| &page.fields).collect();
        let fields: Vec<_> = wanted.into_iter().filter(|field| !has.contains(*field)).cloned().collect();
        Ok((!fields.is_empty()).then_some(PlatformAnswer::FieldsMissing { page: None, fields }))
    }

    /// What the page is subscribed to; none: it is not.
    async fn fields_of(&self, page: &MetaPageSettings) -> Result<Option<BTreeSet<String>>, CallFailure> {
        let mut after: Option<String> = None;
        for _ in 0..MOST_LISTS {
            let query = after.as_ref().map(|after| ("after", after.as_str()));
            let answer = self.api.get(&[&page.id, "subscribed_apps"], query.as_slice(), &page.token).await?;
            let mut apps: Listed<SubscribedApp> = read(&answer)?;
            if let Some(at) = apps.data.iter().position(|app| app.id == self.settings.app_id) {
                let app = apps.data.swap_remove(at);
                return Ok(Some(app.subscribed_fields.into_iter().map(Field::name).collect()));
            }
            after = apps.end();
            if after.is_none() {
                return Ok(None);
            }
        }
        Err(CallFailure::Unreadable { problem: format!("the list of apps goes on after {MOST_LISTS} parts") })
    }

    /// Subscribes the pages that are not, to what was configured. What a page has beside that it keeps.
    pub(crate) async fn subscribe(&self, dry_run: bool) -> Resubscription {
        let mut pages = Vec::new();
        let mut is_over = false;
        for page in &self.settings.pages {
            let done = if is_over {
                PageResubscription { page: page.id.clone(), fields: Vec::new(), outcome: PageOutcome::NotTried }
            } else {
                self.subscribe_page(page, dry_run).await
            };
            is_over |= match &done.outcome {
                // Each page has a token of its own.
                PageOutcome::Failed(CallFailure::TokenRefused { .. }) => false,
                PageOutcome::Failed(why) => why.is_of_all_calls(),
                _ => false,
            };
            pages.push(done);
        }
        Resubscription { dry_run, pages }
    }

    async fn subscribe_page(&self, page: &MetaPageSettings, dry_run: bool) -> PageResubscription {
        let done = |fields: BTreeSet<String>, outcome| {
            let (page, fields) = (page.id.clone(), fields.into_iter().collect());
            PageResubscription { page, fields, outcome }
        };
        let has = match self.fields_of(page).await {
            Err(why) => return done(BTreeSet::new(), PageOutcome::Failed(why)),
            Ok(has) => has,
        };
        let has_all = has.as_ref().is_some_and(|has| page.fields.iter().all(|field| has.contains(field)));
        let mut fields = has.unwrap_or_default();
        if has_all {
            return done(fields, PageOutcome::AlreadySubscribed);
        }
        // The fields of the call replace those that are there.
        fields.extend(page.fields.iter().cloned());
        if dry_run {
            return done(fields, PageOutcome::WouldSubscribe);
        }
        let list = fields.iter().map(String::as_str).collect::<Vec<_>>().join(",");
        let query = [("subscribed_fields", list.as_str())];
        let answer = self.api.post(&[&page.id, "subscribed_apps"], &query, &page.token).await;
        let outcome = match answer.and_then(|answer| read::<Done>(&answer)) {
            Ok(Done { success: Success::Bool(true) }) => PageOutcome::Subscribed,
            Ok(Done { success: Success::Text(text) }) if text == "true" => PageOutcome::Subscribed,
            Ok(_) => PageOutcome::Failed(CallFailure::Unreadable { problem: "success is not true".to_owned() }),
            Err(why) => PageOutcome::Failed(why),
        };
        done(fields, outcome)
    }
}

/// By the codes of the Graph API, which come with status 400 as well.
fn judge(answer: &Response<Bytes>) -> Judged {
    let Ok(Refusal { error }) = serde_json::from_slice(answer.body()) else {
        return Judged { kind: JudgedKind::ByStatus, said: String::new() };
    };
    let GraphError { message, code, error_subcode } = error;
    let kind = match (code, error_subcode) {
        // The app, the user, the page, a custom limit; and those of a use case.
        (Some(4 | 17 | 32 | 613 | 80_000..=80_014), _) => JudgedKind::RateLimit,
        // Expired, revoked, not valid; without the permission.
        (Some(102 | 190 | 3 | 10 | 200..=299), _) => JudgedKind::Token,
        // An object that is not there, or that the token may not see.
        (Some(100), Some(33)) | (Some(803), _) => JudgedKind::NotFound,
        _ => JudgedKind::ByStatus,
    };
    let code = code.map_or(String::new(), |code| format!(" (code {code})"));
    Judged { kind, said: format!("{message}{code}") }
}

#[cfg(test)]
#[path = "meta_tests.rs"]
mod tests;
