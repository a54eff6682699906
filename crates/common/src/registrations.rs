//! The registrations, as the services look them up: an index over the `registrations` topic.

use std::collections::HashMap;

use crate::registration::v1::{Account, Endpoint, PlainSecret, Registration, registration::Kind};

impl std::fmt::Debug for PlainSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { value: _, expires_at } = self;
        f.debug_struct("PlainSecret").field("value", &"<hidden>").field("expires_at", expires_at).finish()
    }
}

/// The longest name of an endpoint, and the longest id of a tenant or an account, in bytes.
pub const MAX_NAME: usize = 64;
const MAX_ID: usize = 256;

/// Why a registration cannot be.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{field} {problem}")]
pub struct InvalidRegistration {
    /// The field, as its path in the message.
    pub field: &'static str,
    /// What is wrong with it, and what would be right.
    pub problem: String,
}

/// The id that belongs to what is registered.
pub fn id_of(kind: &Kind) -> String {
    match kind {
        Kind::Endpoint(Endpoint { name, .. }) => format!("endpoint/{name}"),
        Kind::Account(Account { endpoint, account_id }) => format!("account/{endpoint}/{account_id}"),
    }
}

/// Checks names, tenant and kind, and that `id` is empty or the one that belongs to them.
pub fn validate(registration: &Registration) -> Result<(), InvalidRegistration> {
    let invalid = |field, problem: &str| Err(InvalidRegistration { field, problem: problem.to_owned() });
    let id = |field, text: &str| {
        if text.is_empty() || text.len() > MAX_ID || text.chars().any(|c| c.is_control() || c == '/') {
            return invalid(field, "must be 1 to 256 bytes, without slashes and control characters");
        }
        Ok(())
    };
    let name = |field, text: &str| {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if text.is_empty() || text.len() > MAX_NAME || !text.chars().all(fits) {
            return invalid(field, "must be 1 to 64 of a-z, 0-9 and dash");
        }
        Ok(())
    };
    id("tenant", &registration.tenant)?;
    match &registration.kind {
        None => return invalid("kind", "is missing: give an endpoint or an account"),
        Some(Kind::Endpoint(endpoint)) => {
            name("endpoint.name", &endpoint.name)?;
            id("endpoint.source", &endpoint.source)?;
        }
        Some(Kind::Account(account)) => {
            name("account.endpoint", &account.endpoint)?;
            id("account.account_id", &account.account_id)?;
        }
    }
    if let Some(kind) = &registration.kind
        && !registration.id.is_empty()
        && registration.id != id_of(kind)
    {
        return invalid("id", &format!("must be empty or {:?}", id_of(kind)));
    }
    Ok(())
}

/// Checks one that is to be made: as [`validate`], and its ids have no blanks around
/// them. Those that are stored with blanks stay as they are, because a tenant never changes.
pub fn validate_new(registration: &Registration) -> Result<(), InvalidRegistration> {
    validate(registration)?;
    let account = match &registration.kind {
        Some(Kind::Account(account)) => account.account_id.as_str(),
        _ => "",
    };
    for (field, text) in [("tenant", registration.tenant.as_str()), ("account.account_id", account)] {
        if trimmed(text) != text {
            let problem = "has blanks around it, which make it a different one: leave them out";
            return Err(InvalidRegistration { field, problem: problem.to_owned() });
        }
    }
    Ok(())
}

/// A text without the blanks and the byte order mark around it.
pub fn trimmed(text: &str) -> &str {
    // U+FEFF and U+200B show nothing and are no white space by Unicode.
    text.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'))
}

/// An index over the latest state of every registration.
#[derive(Debug, Default, Clone)]
pub struct Registrations {
    endpoints: HashMap<String, Registration>,
    /// By endpoint, then by account.
    accounts: HashMap<String, HashMap<String, Registration>>,
}

impl Registrations {
    /// Takes a record of the topic: a registration, or `None` where it was removed.
    pub fn apply(&mut self, id: &str, registration: Option<Registration>) {
        let Some(registration) = registration else {
            return self.remove(id);
        };
        match &registration.kind {
            Some(Kind::Endpoint(endpoint)) => {
                self.endpoints.insert(endpoint.name.clone(), registration);
            }
            Some(Kind::Account(account)) => {
                let account = account.clone();
                self.accounts.entry(account.endpoint).or_default().insert(account.account_id, registration);
            }
            // Written by a newer version: it is not ours to use.
            None => {}
        }
    }

    fn remove(&mut self, id: &str) {
        if let Some(name) = id.strip_prefix("endpoint/") {
            self.endpoints.remove(name);
        } else if let Some((endpoint, account)) = id.strip_prefix("account/").and_then(|rest| rest.split_once('/'))
            && let Some(accounts) = self.accounts.get_mut(endpoint)
        {
            accounts.remove(account);
        }
    }

    /// The registration of the endpoint of that name.
    pub fn endpoint(&self, name: &str) -> Option<&Registration> {
        self.endpoints.get(name)
    }

    /// The registration of an account within an endpoint.
    pub fn account(&self, endpoint: &str, account: &str) -> Option<&Registration> {
        self.accounts.get(endpoint)?.get(account)
    }

    /// How many endpoints and accounts there are.
    pub fn len(&self) -> (usize, usize) {
        (self.endpoints.len(), self.accounts.values().map(HashMap::len).sum())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == (0, 0)
    }
}

#[cfg(test)]
#[path = "registrations_tests.rs"]
mod tests;
