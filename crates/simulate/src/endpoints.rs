//! The endpoints that a simulation delivers to, with their secrets and accounts.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use common::registration::v1::registration::Kind;
use common::registration::v1::{Account, Endpoint as RegisteredEndpoint, PlainSecret, RegisterRequest, Registration};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use crate::world::{Page, Pages};

/// The tenants whose pages alternate. The Meta app belongs to the first.
pub const TENANTS: [&str; 2] = ["alder", "birch"];

/// One endpoint: the last part of its URL, and what signs deliveries to it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The last part of its URL.
    pub name: Arc<str>,
    /// The tenant it belongs to.
    pub tenant: Arc<str>,
    /// The secret as its platform gives it.
    pub secret: SecretString,
}

/// All endpoints of a simulation.
#[derive(Debug, Clone)]
pub struct Endpoints {
    /// A Meta app, for Facebook and Instagram.
    pub meta: Endpoint,
    /// What Meta must name in its handshake.
    pub meta_verify_token: SecretString,
    /// GitHub.
    pub github: Endpoint,
    /// A sender that signs by Standard Webhooks.
    pub standard: Endpoint,
}

/// The endpoints as they are kept in a file, which must be readable to its owner only.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    meta_secret: String,
    meta_verify_token: String,
    github_secret: String,
    standard_webhooks_secret: String,
}

/// Why the endpoints of a simulation cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system gives no random bytes.
    #[error("no random bytes for new secrets: {0}")]
    Random(getrandom::Error),
    /// The text is not what [`Endpoints::to_toml`] writes.
    #[error("not a simulation's secrets: {0}")]
    Malformed(#[from] toml::de::Error),
    /// The Standard Webhooks secret has the wrong form.
    #[error("standard_webhooks_secret must be whsec_ and base64")]
    StandardSecret,
}

impl Endpoints {
    /// New endpoints with random secrets.
    pub fn generate() -> Result<Self, Error> {
        let mut bytes = [0; 96];
        getrandom::fill(&mut bytes).map_err(Error::Random)?;
        Ok(Self::from_kept(Kept {
            meta_secret: hex::encode(&bytes[..16]),
            meta_verify_token: hex::encode(&bytes[16..32]),
            github_secret: hex::encode(&bytes[32..64]),
            standard_webhooks_secret: format!("whsec_{}", BASE64.encode(&bytes[64..])),
        }))
    }

    /// Endpoints with secrets that everybody knows: for tests on loopback only.
    pub fn for_tests() -> Self {
        Self::from_kept(Kept {
            meta_secret: "meta-app-secret".into(),
            meta_verify_token: "meta-verify-token".into(),
            github_secret: "github-webhook-secret".into(),
            standard_webhooks_secret: format!("whsec_{}", BASE64.encode("standard-webhooks-secret")),
        })
    }

    /// Endpoints from what [`to_toml`](Self::to_toml) wrote.
    pub fn from_toml(text: &str) -> Result<Self, Error> {
        let endpoints = Self::from_kept(toml::from_str(text)?);
        standard_key(endpoints.standard.secret.expose_secret()).ok_or(Error::StandardSecret)?;
        Ok(endpoints)
    }

    /// The secrets as a text to keep.
    pub fn to_toml(&self) -> String {
        // Hexadecimal digits and base64 need no escapes.
        format!(
            "# The secrets of the simulated endpoints. Keep this file to yourself; without it, a simulation\n\
             # makes new secrets and registers them.\n\
             meta_secret = \"{}\"\nmeta_verify_token = \"{}\"\ngithub_secret = \"{}\"\nstandard_webhooks_secret = \"{}\"\n",
            self.meta.secret.expose_secret(),
            self.meta_verify_token.expose_secret(),
            self.github.secret.expose_secret(),
            self.standard.secret.expose_secret()
        )
    }

    fn from_kept(kept: Kept) -> Self {
        let endpoint = |name: &str, tenant: &str, secret: String| Endpoint {
            name: name.into(),
            tenant: tenant.into(),
            secret: secret.into(),
        };
        Self {
            meta: endpoint("sim-meta", TENANTS[0], kept.meta_secret),
            meta_verify_token: kept.meta_verify_token.into(),
            github: endpoint("sim-github", TENANTS[1], kept.github_secret),
            standard: endpoint("sim-billing", TENANTS[0], kept.standard_webhooks_secret),
        }
    }

    /// Everything to register before a simulation of so many pages is understood: the endpoints
    /// first, then each page and its Instagram account with the tenant it belongs to.
    pub fn registrations(&self, pages: u32) -> impl Iterator<Item = RegisterRequest> + '_ {
        let endpoint = |endpoint: &Endpoint, source: &str, verify_token: Option<&SecretString>| RegisterRequest {
            registration: Some(registration(
                &endpoint.tenant,
                Kind::Endpoint(RegisteredEndpoint {
                    name: endpoint.name.to_string(),
                    source: source.to_owned(),
                    ..RegisteredEndpoint::default()
                }),
            )),
            expected_revision: 0,
            secrets: vec![plain(&endpoint.secret)],
            verify_token: verify_token.map(plain),
        };
        let endpoints = [
            endpoint(&self.meta, "meta", Some(&self.meta_verify_token)),
            endpoint(&self.github, "github", None),
            endpoint(&self.standard, "standard_webhooks", None),
        ];
        let accounts = (0..pages).flat_map(|index| {
            let Page { id, instagram, tenant, .. } = Pages::page(index);
            [id, instagram].map(|account_id| RegisterRequest {
                registration: Some(registration(
                    &tenant,
                    Kind::Account(Account { endpoint: self.meta.name.to_string(), account_id: account_id.to_string() }),
                )),
                ..RegisterRequest::default()
            })
        });
        endpoints.into_iter().chain(accounts)
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

/// The key in a Standard Webhooks secret.
pub(super) fn standard_key(secret: &str) -> Option<Vec<u8>> {
    BASE64.decode(secret.strip_prefix("whsec_")?).ok().filter(|key| !key.is_empty())
}

#[cfg(test)]
#[path = "endpoints_tests.rs"]
mod tests;
