//! The endpoints that a simulation delivers to, with their secrets and accounts.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::registration::v1::registration::Kind;
use common::registration::v1::{Account, Endpoint as RegisteredEndpoint, PlainSecret, RegisterRequest, Registration};
use secrecy::{ExposeSecret as _, SecretString};

use crate::catalogue::{SENDERS, index_of};
use crate::platform::Sender;
use crate::signing::SecretForm;

/// One endpoint: the last part of its URL, and what signs deliveries to it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// Who delivers to it.
    pub sender: &'static Sender,
    /// The last part of its URL.
    pub name: Arc<str>,
    /// The tenant it belongs to.
    pub tenant: Arc<str>,
    /// The secret as its platform gives it.
    pub secret: SecretString,
    /// What the platform must name in its handshake, where there is one.
    pub verify_token: Option<SecretString>,
}

/// All endpoints of a simulation, one for each sender.
#[derive(Debug, Clone)]
pub struct Endpoints(Vec<Endpoint>);

/// Why the endpoints of a simulation cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system gives no random bytes.
    #[error("the operating system gave no random bytes for new secrets: {0}")]
    Random(getrandom::Error),
    /// The text is not what [`Endpoints::to_toml`] writes.
    #[error("not a simulation's secrets: {0}")]
    Malformed(#[from] toml::de::Error),
    /// A secret is missing, is one too many, or has the wrong form.
    #[error("not a simulation's secrets: {0} is missing, malformed or unknown")]
    Secret(String),
}

fn secret_of(sender: &Sender) -> String {
    format!("{}_secret", sender.source)
}

fn token_of(sender: &Sender) -> String {
    format!("{}_verify_token", sender.source)
}

impl Endpoints {
    /// New endpoints with random secrets.
    ///
    /// # Errors
    /// When the operating system gives no random bytes.
    pub fn generate() -> Result<Self, Error> {
        let random = |form: SecretForm| {
            let mut bytes = [0; 32];
            getrandom::fill(&mut bytes).map_err(Error::Random)?;
            Ok(form.write(&bytes))
        };
        Self::with(|sender| random(sender.secret), |_| random(SecretForm::Hex(16)))
    }

    /// Endpoints with secrets that everybody knows: for tests on loopback only.
    pub fn for_tests() -> Self {
        let known = |what: &str, form: SecretForm| match form {
            SecretForm::Hex(_) => what.to_owned(),
            SecretForm::Whsec => format!("whsec_{}", BASE64.encode(what)),
        };
        let all = SENDERS.iter().map(|sender| Endpoint {
            sender,
            name: sender.endpoint.into(),
            tenant: sender.tenant.into(),
            secret: known(&format!("{}-webhook-secret", sender.source), sender.secret).into(),
            verify_token: sender.handshake.then(|| format!("{}-verify-token", sender.source).into()),
        });
        Self(all.collect())
    }

    fn with(
        secret: impl Fn(&Sender) -> Result<String, Error>,
        token: impl Fn(&Sender) -> Result<String, Error>,
    ) -> Result<Self, Error> {
        let endpoint = |sender: &&'static Sender| {
            Ok(Endpoint {
                sender,
                name: sender.endpoint.into(),
                tenant: sender.tenant.into(),
                secret: secret(sender)?.into(),
                verify_token: if sender.handshake { Some(token(sender)?.into()) } else { None },
            })
        };
        Ok(Self(SENDERS.iter().map(endpoint).collect::<Result<_, Error>>()?))
    }

    /// That of a sender.
    pub fn of(&self, sender: &Sender) -> &Endpoint {
        &self.0[index_of(sender)]
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Endpoint> {
        self.0.iter()
    }

    /// Endpoints from what [`to_toml`](Self::to_toml) wrote.
    ///
    /// # Errors
    /// When it is something else.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let mut kept: BTreeMap<String, String> = toml::from_str(text)?;
        let endpoints = {
            let kept = RefCell::new(&mut kept);
            let take = |name: String| kept.borrow_mut().remove(&name).ok_or(Error::Secret(name));
            Self::with(|sender| take(secret_of(sender)), |sender| take(token_of(sender)))?
        };
        if let Some(name) = kept.into_keys().next() {
            return Err(Error::Secret(name));
        }
        for Endpoint { sender, secret, .. } in endpoints.iter() {
            sender.secret.key(secret.expose_secret()).ok_or_else(|| Error::Secret(secret_of(sender)))?;
        }
        Ok(endpoints)
    }

    /// The secrets as a text to keep.
    pub fn to_toml(&self) -> String {
        let mut text = String::from(
            "# The secrets of the simulated endpoints. Keep this file to yourself; without it, a simulation\n\
             # makes new secrets and registers them.\n",
        );
        // Hexadecimal digits and base64 need no escapes.
        let mut line = |name: String, value: &SecretString| {
            text.push_str(&format!("{name} = \"{}\"\n", value.expose_secret()));
        };
        for Endpoint { sender, secret, verify_token, .. } in self.iter() {
            line(secret_of(sender), secret);
            if let Some(token) = verify_token {
                line(token_of(sender), token);
            }
        }
        text
    }

    /// Everything to register before a simulation of so many pages is understood: the endpoints
    /// first, then each account with the tenant it belongs to.
    pub fn registrations(&self, pages: u32) -> impl Iterator<Item = RegisterRequest> + '_ {
        let endpoints = self.iter().map(|endpoint| RegisterRequest {
            registration: Some(registration(
                &endpoint.tenant,
                Kind::Endpoint(RegisteredEndpoint {
                    name: endpoint.name.to_string(),
                    source: endpoint.sender.source.to_owned(),
                    ..RegisteredEndpoint::default()
                }),
            )),
            expected_revision: 0,
            secrets: vec![plain(&endpoint.secret)],
            verify_token: endpoint.verify_token.as_ref().map(plain),
        });
        let accounts = (0..pages).flat_map(move |page| {
            self.iter().flat_map(move |endpoint| {
                let account = move |(account, tenant): (Arc<str>, Arc<str>)| RegisterRequest {
                    registration: Some(registration(
                        &tenant,
                        Kind::Account(Account { endpoint: endpoint.name.to_string(), account_id: account.to_string() }),
                    )),
                    ..RegisterRequest::default()
                };
                (endpoint.sender.accounts)(page).into_iter().map(account)
            })
        });
        endpoints.chain(accounts)
    }
}

fn registration(tenant: &str, kind: Kind) -> Registration {
    Registration {
        tenant: tenant.to_owned(),
        kind: Some(kind),
        metadata: [("simulated".to_owned(), "true".to_owned())].into(),
        ..Registration::default()
    }
}

fn plain(secret: &SecretString) -> PlainSecret {
    PlainSecret { value: secret.expose_secret().to_owned(), expires_at: None }
}

#[cfg(test)]
#[path = "endpoints_tests.rs"]
mod tests;
