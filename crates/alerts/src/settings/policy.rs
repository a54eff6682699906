//! From the settings to who is told of what, and what is wrong with them.

use std::collections::BTreeSet;

use common::kinds::{Problem, Problems};
use service::Uri;
use service::outbound::Network;

use super::{AlertsSettings, MISSED, MaintenanceSettings, ReceiverSettings, RotationSettings, RouteSettings};
use crate::calendar::{Days, Maintenance, Rotation, Substitute};
use crate::matcher::Matcher;
use crate::policy::{Policy, Route, Step, Timing};
use crate::silences::moment;

const NAME: &str = "use 1 to 64 of a-z, 0-9, dash and underscore, and give each its own";
const KNOWN: &str = "name a receiver of [[alerts.receivers]] or a rotation of [[alerts.rotations]]";
const HALF: &str = "a user without a password, or a password without a user";
const TIME: &str = "write it as 2026-01-05T09:00:00+01:00";

impl AlertsSettings {
    /// Who is told of what, as far as it is not wrong, which [`validate`](Self::validate) tells.
    #[must_use]
    pub fn policy(&self) -> Policy {
        let own_timing = Timing { group_wait_ms: 0, group_interval_ms: 0, repeat_interval_ms: ms(self.resend_ms) };
        let takes_all = self.receivers.iter().filter(|receiver| receiver.alertmanager.is_some());
        Policy {
            routes: self.routes.iter().map(|route| self.route(route)).collect(),
            rotations: self.rotations.iter().filter_map(|rotation| rotation.read().ok()).collect(),
            own_timing: takes_all.map(|receiver| (receiver.name.clone(), own_timing)).collect(),
            maintenance: self.maintenance.iter().filter_map(|window| window.read().ok()).collect(),
            resolve_after_ms: ms(self.resolve_after_ms),
            must_last: self.must_last,
            ..Policy::default()
        }
    }

    fn route(&self, route: &RouteSettings) -> Route {
        let mut steps = vec![Step { after_ms: 0, receivers: route.receivers.clone() }];
        let further = route.escalation.iter();
        steps.extend(further.map(|one| Step { after_ms: ms(one.after_ms), receivers: one.receivers.clone() }));
        steps.sort_by_key(|step| step.after_ms);
        let or = |own: Option<u64>, all: u64| ms(own.unwrap_or(all));
        let timing = Timing {
            group_wait_ms: or(route.group_wait_ms, self.group_wait_ms),
            group_interval_ms: or(route.group_interval_ms, self.group_interval_ms),
            repeat_interval_ms: or(route.repeat_interval_ms, self.repeat_interval_ms),
        };
        Route { name: route.name.clone(), about: route.about(), steps, timing }
    }

    /// What is wrong if there are so many milliseconds between two rounds.
    #[must_use]
    pub fn validate_interval(&self, interval_ms: u64) -> Vec<Problem> {
        let mut problems = Problems::of("alerts");
        let is_told_again = self.receivers.iter().any(|receiver| receiver.alertmanager.is_some());
        let most = self.resend_ms.saturating_mul(MISSED);
        let problem = format!("Alertmanager forgets after {most} ms what it is told again every {interval_ms} ms");
        let fix = "make resend_ms more than a quarter of health_check.interval_ms";
        problems.check(!is_told_again || interval_ms < most, "resend_ms", problem, fix);
        problems.into_vec()
    }

    /// What is wrong, although every value has the right type and range.
    #[must_use]
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Problems::of("alerts");
        let people: BTreeSet<_> = self.receivers.iter().map(|receiver| receiver.name.as_str()).collect();
        let mut known = people.clone();
        known.extend(self.rotations.iter().map(|rotation| rotation.name.as_str()));
        let mut names = BTreeSet::new();
        for (n, receiver) in self.receivers.iter().enumerate() {
            let problem = format!("{:?} is empty, not a valid name, or there twice", receiver.name);
            problems.check(
                is_name(&receiver.name) && names.insert(&receiver.name),
                &format!("receivers[{n}].name"),
                problem,
                NAME,
            );
            receiver.validate(n, self.allow_networks.is_empty(), &mut problems);
        }
        for (n, rotation) in self.rotations.iter().enumerate() {
            let problem = format!("{:?} is empty, not a valid name, or there twice", rotation.name);
            problems.check(
                is_name(&rotation.name) && names.insert(&rotation.name),
                &format!("rotations[{n}].name"),
                problem,
                NAME,
            );
            let who = rotation.people.iter().chain(rotation.overrides.iter().map(|one| &one.who));
            for name in who.filter(|name| !people.contains(name.as_str())) {
                let problem = format!("{name:?} is no receiver");
                problems.check(
                    false,
                    &format!("rotations[{n}].people"),
                    problem,
                    "name receivers of [[alerts.receivers]]",
                );
            }
            if let Err((key, problem, fix)) = rotation.read() {
                problems.check(false, &format!("rotations[{n}].{key}"), problem, fix);
            }
        }
        let mut routes = BTreeSet::new();
        for (n, route) in self.routes.iter().enumerate() {
            let problem = format!("{:?} is empty, not a valid name, or there twice", route.name);
            problems.check(
                is_name(&route.name) && routes.insert(&route.name),
                &format!("routes[{n}].name"),
                problem,
                NAME,
            );
            let empty = "is empty: nobody is told".to_owned();
            problems.check(!route.receivers.is_empty(), &format!("routes[{n}].receivers"), empty, KNOWN);
            let further = route.escalation.iter().flat_map(|one| &one.receivers);
            for name in route.receivers.iter().chain(further).filter(|name| !known.contains(name.as_str())) {
                let problem = format!("{name:?} is neither a receiver nor a rotation");
                problems.check(false, &format!("routes[{n}].receivers"), problem, KNOWN);
            }
        }
        let is_told = self.receivers.is_empty() || !self.routes.is_empty();
        let fix = "say which alerts go to whom: [[alerts.routes]] with name, classes and receivers";
        problems.check(is_told, "routes", "is empty: no receiver is told anything", fix);
        for (n, window) in self.maintenance.iter().enumerate() {
            if let Err((key, problem, fix)) = window.read() {
                problems.check(false, &format!("maintenance[{n}].{key}"), problem, fix);
            }
        }
        for text in &self.allow_networks {
            let is_network = text.parse::<Network>().is_ok();
            problems.check(
                is_network,
                "allow_networks",
                format!("{text:?} is not a network"),
                "write 10.0.0.0/8 or fd00::/8",
            );
        }
        let is_url = self.runbooks_url.is_empty() || url(&self.runbooks_url);
        problems.check(
            is_url,
            "runbooks_url",
            format!("{:?} is not a URL", self.runbooks_url),
            "write https://host/path",
        );
        if let Some(secret) = &self.heartbeat.url {
            problems.check(url(secret.expose()), "heartbeat.url", "is not a URL", "write https://host/path");
            let is_safe = !self.allow_networks.is_empty() || !url(secret.expose()) || is_https(secret.expose());
            let fix = "write https://, or name its network in alerts.allow_networks";
            problems.check(is_safe, "heartbeat.url", "is a secret, and would go over the internet in the clear", fix);
        }
        problems.into_vec()
    }
}

/// What is wrong: the key, the problem, the fix.
type Wrong = (&'static str, String, &'static str);

impl ReceiverSettings {
    /// The tables that say how it is told.
    fn ways(&self) -> usize {
        let Self { name: _, webhook, slack, pagerduty, alertmanager, mail } = self;
        let ways = [webhook.is_some(), slack.is_some(), pagerduty.is_some(), alertmanager.is_some(), mail.is_some()];
        ways.into_iter().filter(|is| *is).count()
    }

    /// `is_public`: it is on the public internet.
    fn validate(&self, n: usize, is_public: bool, problems: &mut Problems) {
        let mut check = |ok, key: &str, problem: &str, fix: &str| {
            problems.check(ok, &format!("receivers[{n}].{key}"), problem, fix);
        };
        let fix = "set one of webhook, slack, pagerduty, alertmanager and mail";
        check(self.ways() == 1, "name", "is told in no way, or in several", fix);
        // Secrets are not shown, whatever they are.
        let secret_urls = self.webhook.iter().map(|it| ("webhook.url", it.url.expose()));
        let secret_urls = secret_urls.chain(self.slack.iter().map(|it| ("slack.url", it.url.expose())));
        let urls = self.alertmanager.iter().map(|it| ("alertmanager.url", it.url.as_str()));
        let urls = urls.chain(self.pagerduty.iter().filter_map(|it| Some(("pagerduty.url", it.url.as_deref()?))));
        // An Alertmanager without a password shows no secret.
        let is_open = self.alertmanager.as_ref().is_some_and(|it| it.password.is_none());
        for (key, text) in secret_urls.chain(urls) {
            check(url(text), key, "is not a URL with http:// or https://", "write https://host/path");
            let is_safe = is_open || !is_public || !url(text) || is_https(text);
            let fix = "write https://, or name the network of the receiver in alerts.allow_networks";
            check(is_safe, key, "a secret would go over the internet in the clear", fix);
        }
        if let Some(it) = &self.alertmanager {
            let is_whole = it.user.is_empty() == it.password.is_none();
            check(is_whole, "alertmanager.password", HALF, "set both or neither");
        }
        if let Some(secret) = self.webhook.as_ref().and_then(|it| it.secret.as_ref()) {
            let is_key = crate::signature::key(secret.expose()).is_some();
            check(
                is_key,
                "webhook.secret",
                "is not a secret of Standard Webhooks",
                "write whsec_ and 24 to 64 bytes in base64",
            );
        }
        if let Some(mail) = &self.mail {
            for (key, address) in
                [("mail.from", &mail.from)].into_iter().chain(mail.to.iter().map(|to| ("mail.to", to)))
            {
                let is_address = address.parse::<lettre::message::Mailbox>().is_ok();
                check(
                    is_address,
                    key,
                    &format!("{address:?} is not an address"),
                    "write name@host or \"Name <name@host>\"",
                );
            }
            check(!mail.to.is_empty(), "mail.to", "is empty", "name who gets the mails");
            let is_whole = mail.user.is_empty() == mail.password.is_none();
            check(is_whole, "mail.password", HALF, "set both or neither");
            let is_safe = mail.password.is_none() || mail.tls != super::MailTls::Never;
            check(is_safe, "mail.tls", "the password would go over the line in the clear", "use starttls or always");
        }
    }
}

impl RotationSettings {
    fn read(&self) -> Result<Rotation, Wrong> {
        if self.people.is_empty() {
            return Err(("people", "is empty: nobody is on call".to_owned(), "name receivers of [[alerts.receivers]]"));
        }
        let at = |key, text: &str| moment(text).map_err(|_| (key, format!("{text:?} is not a time"), TIME));
        let mut overrides = Vec::new();
        for one in &self.overrides {
            let (from_ms, to_ms) = (at("overrides", &one.from)?, at("overrides", &one.to)?);
            if to_ms <= from_ms {
                return Err(("overrides", format!("ends at {:?}, before it begins", one.to), "write a later time"));
            }
            overrides.push(Substitute { from_ms, to_ms, who: one.who.clone() });
        }
        let start_ms = at("start", &self.start)?;
        Ok(Rotation {
            name: self.name.clone(),
            people: self.people.clone(),
            start_ms,
            shift_ms: ms(self.shift_ms),
            overrides,
        })
    }
}

impl MaintenanceSettings {
    fn read(&self) -> Result<Maintenance, Wrong> {
        let minute = |key, text: &str| {
            let found = clock(text).filter(|minutes| *minutes <= 1440);
            found.ok_or_else(|| (key, format!("{text:?} is not a time of day"), "write it as 22:00"))
        };
        let offset = self.utc_offset.strip_prefix('-').map_or_else(
            || self.utc_offset.strip_prefix('+').and_then(clock),
            |behind| clock(behind).map(|minutes| -minutes),
        );
        let wrong = || ("utc_offset", format!("{:?} is not an offset", self.utc_offset), "write it as +01:00");
        let utc_offset_minutes = offset.filter(|minutes| minutes.abs() <= 14 * 60).ok_or_else(wrong)?;
        if !self.dates.is_empty() && !self.days.is_empty() {
            return Err(("dates", "are given, and days too".to_owned(), "use one of them"));
        }
        let mut dates = Vec::new();
        for text in &self.dates {
            let day = moment(&format!("{text}T00:00:00Z")).map(|at| at.div_euclid(86_400_000));
            dates.push(day.map_err(|_| ("dates", format!("{text:?} is not a date"), "write it as 2026-12-24"))?);
        }
        Ok(Maintenance {
            name: self.name.clone(),
            about: Matcher { stages: self.stages.clone(), checks: self.checks.clone(), classes: self.classes.clone() },
            days: if dates.is_empty() { Days::Weekly(self.days.clone()) } else { Days::Dates(dates) },
            from_minute: minute("from", &self.from)?,
            to_minute: minute("to", &self.to)?,
            utc_offset_minutes,
        })
    }
}

/// Hours and minutes, in minutes.
fn clock(text: &str) -> Option<i64> {
    let (hours, minutes) = text.split_once(':')?;
    let two =
        |text: &str| (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?;
    let (hours, minutes): (i64, i64) = (two(hours)?, two(minutes)?);
    (minutes < 60).then_some(hours * 60 + minutes)
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    (1..=64).contains(&name.len()) && name.chars().all(fits)
}

fn url(text: &str) -> bool {
    let known = |uri: Uri| matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some();
    text.parse::<Uri>().is_ok_and(known)
}

fn is_https(text: &str) -> bool {
    text.parse::<Uri>().is_ok_and(|uri| uri.scheme_str() == Some("https"))
}

fn ms(time: u64) -> i64 {
    i64::try_from(time).unwrap_or(i64::MAX)
}
