//! GitHub's REST API: a webhook of a repository or an organization, and its deliveries.

use std::time::SystemTime;

use bytes::Bytes;
use http::header::LINK;
use http::{HeaderMap, Response};
use prost_types::Timestamp;
use serde::Deserialize;
use service::Secret;
use url::Url;

use crate::answer::{CallFailure, LastResponse, Platform, PlatformAnswer};
use crate::api::{Api, Judged, JudgedKind, again_after_s, leads_elsewhere, read, remaining, shown, told};
use crate::failed::{HookDelivery, Moment, failed_since};
use crate::remedy::{Redelivery, RedeliveryAttempt, RedeliveryOrder, RedeliveryOutcome, RedeliveryStop};
use crate::settings::{GitHubSettings, PlatformsSettings};

/// Not the newest version: older Enterprise Servers know it too, and nothing that is asked here is different in the newer one.
const HEADERS: &[(&str, &str)] = &[("accept", "application/vnd.github+json"), ("x-github-api-version", "2022-11-28")];
/// Attempts in one list, which is the most that GitHub gives.
const PER_LIST: &str = "100";
const MOST_LISTS: usize = 10;
/// Calls that are left to whoever else has the token.
const RESERVE: u64 = 50;

/// A webhook of GitHub.
#[derive(Debug)]
pub(crate) struct GitHub {
    api: Api,
    settings: GitHubSettings,
    callback_url: Option<String>,
    hook: String,
}

#[derive(Deserialize)]
struct Hook {
    active: bool,
    config: Option<Config>,
    /// Hooks of organizations have none, and neither have those that sent nothing for long.
    last_response: Option<HookResponse>,
}

#[derive(Deserialize)]
struct Config {
    url: Option<String>,
}

#[derive(Deserialize)]
struct HookResponse {
    code: Option<u16>,
    status: Option<String>,
    message: Option<String>,
}

#[derive(Deserialize)]
struct Refusal {
    message: String,
}

/// The deliveries of a hook, as far as they were listed.
struct Listed {
    deliveries: Vec<HookDelivery>,
    /// All since the time that was asked for.
    is_whole: bool,
    near: Option<RedeliveryStop>,
}

impl GitHub {
    pub(crate) fn new(all: &PlatformsSettings, settings: &GitHubSettings, callback_url: Option<&String>) -> Self {
        let api = Api::new(all, &all.github_url, HEADERS, judge);
        let hook = settings.hook.to_string();
        Self { api, settings: settings.clone(), callback_url: callback_url.cloned(), hook }
    }

    fn token(&self) -> &Secret {
        &self.settings.token
    }

    /// The path of the hook, and of what is below it.
    fn path<'a>(&'a self, below: &[&'a str]) -> Vec<&'a str> {
        let mut path = self.settings.hooks();
        path.push(&self.hook);
        path.extend(below);
        path
    }

    /// Asks for the hook.
    pub(crate) async fn check(&self) -> PlatformAnswer {
        let platform = Platform::GitHub;
        match self.hook().await {
            Ok(answer) => answer,
            // What a token may not see is not there for it, so the hook is gone only if it sees the others.
            Err(why @ CallFailure::NotFound { .. }) => {
                let others = self.api.get(&self.settings.hooks(), &[("per_page", "1")], self.token()).await;
                others.map_or(PlatformAnswer::Unknown { platform, why }, |_| PlatformAnswer::HookGone)
            }
            Err(why) => PlatformAnswer::Unknown { platform, why },
        }
    }

    async fn hook(&self) -> Result<PlatformAnswer, CallFailure> {
        let answer = self.api.get(&self.path(&[]), &[], self.token()).await?;
        let Hook { active, config, last_response } = read(&answer)?;
        let last = last_response.and_then(|last| self.last(last));
        let url = config.and_then(|config| config.url);
        Ok(match url.filter(|url| leads_elsewhere(self.callback_url.as_ref(), url)) {
            Some(url) => PlatformAnswer::OtherUrl { platform: Platform::GitHub, url: shown(&url, self.token()) },
            None if active => PlatformAnswer::Active { platform: Platform::GitHub, last },
            None => PlatformAnswer::HookInactive { last },
        })
    }

    fn last(&self, last: HookResponse) -> Option<LastResponse> {
        let HookResponse { code, status, message } = last;
        let is_unused = code.is_none() && status.as_deref() == Some("unused");
        let message = told(&message.or(status).unwrap_or_default(), self.token());
        (!is_unused).then_some(LastResponse { code, message })
    }

    /// Asks to send again what failed. At most one call for each list of a hundred attempts, ten of those, and one for each
    /// delivery of the order.
    pub(crate) async fn redeliver(&self, order: &RedeliveryOrder) -> Redelivery {
        let since = moment(order.since);
        let mut done = Redelivery {
            dry_run: order.dry_run,
            listed: 0,
            all_listed: false,
            attempts: Vec::new(),
            left: 0,
            stopped: None,
        };
        let Listed { deliveries, is_whole, near } = match self.list(since).await {
            Ok(listed) => listed,
            Err(why) => return Redelivery { stopped: Some(RedeliveryStop::Failed(why)), ..done },
        };
        (done.listed, done.all_listed, done.stopped) = (deliveries.len(), is_whole, near);
        let failed = failed_since(&deliveries, since);
        for one in failed.iter().take(order.most) {
            if done.stopped.is_some() {
                break;
            }
            if !order.dry_run && !done.attempts.is_empty() {
                tokio::time::sleep(order.pause).await;
            }
            let outcome = if order.dry_run { RedeliveryOutcome::WouldAsk } else { self.ask_for(one, &mut done).await };
            done.attempts.push(RedeliveryAttempt {
                id: one.id,
                guid: told(&one.guid, self.token()),
                event: told(&one.event, self.token()),
                delivered_at: told(&one.delivered_at, self.token()),
                status_code: one.status_code.unwrap_or_default(),
                outcome,
            });
        }
        done.left = failed.len() - done.attempts.len();
        done
    }

    /// Asks for one delivery, once: whoever does not answer may have taken it.
    async fn ask_for(&self, one: &HookDelivery, done: &mut Redelivery) -> RedeliveryOutcome {
        let id = one.id.to_string();
        match self.api.post(&self.path(&["deliveries", &id, "attempts"]), &[], self.token()).await {
            Ok(answer) => {
                done.stopped = near(answer.headers());
                RedeliveryOutcome::Asked
            }
            Err(why) => {
                if why.is_of_all_calls() {
                    done.stopped = Some(RedeliveryStop::Failed(why.clone()));
                }
                RedeliveryOutcome::Failed(why)
            }
        }
    }

    /// The attempts since then, and some before: the newest come first. So what succeeded after one of them is listed too.
    async fn list(&self, since: Moment) -> Result<Listed, CallFailure> {
        let mut listed = Listed { deliveries: Vec::new(), is_whole: false, near: None };
        let mut cursor: Option<String> = None;
        for _ in 0..MOST_LISTS {
            let mut query = vec![("per_page", PER_LIST)];
            query.extend(cursor.as_ref().map(|cursor| ("cursor", cursor.as_str())));
            let answer = self.api.get(&self.path(&["deliveries"]), &query, self.token()).await?;
            let some: Vec<HookDelivery> = read(&answer)?;
            let is_past = some.iter().filter_map(HookDelivery::at).any(|at| at < since);
            listed.deliveries.extend(some);
            cursor = next_cursor(answer.headers());
            listed.is_whole = is_past || cursor.is_none();
            listed.near = near(answer.headers());
            if listed.is_whole || listed.near.is_some() {
                break;
            }
        }
        Ok(listed)
    }
}

fn moment(time: SystemTime) -> Moment {
    let time = Timestamp::from(time);
    (time.seconds, time.nanos)
}

/// Whether few calls are left.
fn near(headers: &HeaderMap) -> Option<RedeliveryStop> {
    let remaining = remaining(headers).filter(|remaining| *remaining <= RESERVE)?;
    Some(RedeliveryStop::NearRateLimit { remaining, again_after_s: again_after_s(headers) })
}

/// Where the next list begins. Only that is taken of the link: the token goes to no other place than the one of the settings.
fn next_cursor(headers: &HeaderMap) -> Option<String> {
    let links = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    for link in links {
        let Some((target, parameters)) = link.trim().strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
            continue;
        };
        let is_next = parameters.split(';').any(|parameter| parameter.trim().eq_ignore_ascii_case("rel=\"next\""));
        if let Some(url) = Url::parse(target).ok().filter(|_| is_next) {
            return url.query_pairs().find(|(name, _)| name == "cursor").map(|(_, value)| value.into_owned());
        }
    }
    None
}

/// A rate limit is status 403 or 429 with one of the headers of limits.
fn judge(answer: &Response<Bytes>) -> Judged {
    let is_limit = matches!(answer.status().as_u16(), 403 | 429)
        && (answer.headers().contains_key("retry-after") || remaining(answer.headers()) == Some(0));
    let said = serde_json::from_slice(answer.body()).map_or_else(|_| String::new(), |Refusal { message }| message);
    Judged { kind: if is_limit { JudgedKind::RateLimit } else { JudgedKind::ByStatus }, said }
}

#[cfg(test)]
#[path = "github_tests.rs"]
mod tests;
