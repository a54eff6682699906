//! `weir register list`.

use std::collections::BTreeMap;

use common::registration::v1::Registration;
use common::registration::v1::registration::Kind;
use prost::Message as _;

use crate::decode::Decoder;
use crate::out;

/// List endpoints, each with the number of its accounts; with a prefix everything that begins with it
#[derive(Debug, clap::Args)]
pub(super) struct List {
    /// Only ids that begin with this: endpoint/, account/my-app/
    #[arg(default_value = "")]
    pub(super) prefix: String,
    /// Only those of this tenant
    #[arg(long, default_value = "")]
    pub(super) tenant: String,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

impl List {
    /// Prints what was found.
    pub(super) fn show(&self, found: &[Registration]) -> anyhow::Result<()> {
        if found.is_empty() {
            out::complain("no registration matches");
        }
        let lines = if self.json {
            found.iter().map(|one| Ok(shown(one)?.to_string())).collect::<anyhow::Result<_>>()?
        } else if self.prefix.is_empty() {
            endpoints(found)
        } else {
            found.iter().map(|one| line(one, "")).collect::<Vec<_>>()
        };
        for line in lines {
            if !out::line(&line) {
                break;
            }
        }
        Ok(())
    }
}

/// The endpoints, which may be few among very many accounts.
fn endpoints(found: &[Registration]) -> Vec<String> {
    let mut accounts: BTreeMap<&str, usize> = BTreeMap::new();
    for registration in found {
        if let Some(Kind::Account(account)) = &registration.kind {
            *accounts.entry(&account.endpoint).or_default() += 1;
        }
    }
    let mut lines = Vec::new();
    for registration in found {
        let Some(Kind::Endpoint(endpoint)) = &registration.kind else { continue };
        let own = accounts.remove(&*endpoint.name).unwrap_or_default();
        lines.push(line(registration, &if own == 0 { String::new() } else { many(own, "account") }));
    }
    // Of endpoints that are of the settings, or of another tenant than what is listed.
    lines.extend(accounts.iter().map(|(endpoint, own)| format!("{} of {endpoint}", many(*own, "account"))));
    if found.iter().any(|one| matches!(one.kind, Some(Kind::Account(_)))) {
        lines.push("weir register list account/ENDPOINT/ lists the accounts of one".to_owned());
    }
    lines
}

fn many(count: usize, what: &str) -> String {
    format!("{} {what}{}", out::count(count as u64), if count == 1 { "" } else { "s" })
}

fn line(registration: &Registration, more: &str) -> String {
    let mut what = Vec::new();
    if let Some(Kind::Endpoint(endpoint)) = &registration.kind {
        what.push(endpoint.source.clone());
        if endpoint.rate_limit > 0 {
            what.push(format!("at most {}/s", endpoint.rate_limit));
        }
    }
    if !more.is_empty() {
        what.push(more.to_owned());
    }
    let Registration { id, tenant, revision, .. } = registration;
    format!("{id:<30} {tenant:<14} revision {revision:<4} {}", what.join(", ")).trim_end().to_owned()
}

/// A registration as JSON, its secrets not shown.
pub(super) fn shown(registration: &Registration) -> anyhow::Result<serde_json::Value> {
    Ok(Decoder::new()?.value("weir.registration.v1.Registration", &registration.encode_to_vec())?)
}

#[cfg(test)]
#[path = "register_list_tests.rs"]
mod tests;
