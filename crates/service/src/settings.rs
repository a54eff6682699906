//! Settings in layers: defaults, then a file, then the environment.

mod error;
mod grpc_tls;
mod kinds;
mod layers;
mod load;
mod secret;
mod sections;
mod tree;

pub(crate) use grpc_tls::ANYBODY;
pub use grpc_tls::{AllowSettings, GrpcTlsSettings};
pub(crate) use load::check_files;
pub use load::{Fault, Problem, SettingsError, load, print};
pub use secret::Secret;
pub use sections::{
    AdminSettings, GrpcSettings, HostSettings, LogFormat, SecretsSettings, ShutdownSettings, TelemetrySettings,
    check_listen,
};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};

/// For names and ids: a list, or its items in one text with commas, in the file as in the environment. Not for secrets,
/// which may have commas.
///
/// # Errors
/// It is neither.
pub fn list<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a list of texts, or one text with commas between")]
    enum List {
        Items(Vec<String>),
        Text(String),
    }
    Ok(match List::deserialize(deserializer)? {
        List::Items(items) => items,
        List::Text(text) => {
            text.split(',').map(|item| item.trim().to_owned()).filter(|item| !item.is_empty()).collect()
        }
    })
}

/// All settings of a service. Every struct in it is `#[serde(deny_unknown_fields)]` and has no default in code: the
/// defaults are the commented TOML texts that [`load`] gets.
pub trait Settings: DeserializeOwned + Serialize {
    /// What is wrong although every value has the right type: all of it, not the first. The sections of
    /// [`HostSettings`] are checked without being asked for here.
    fn validate(&self) -> Vec<Problem>;

    /// The sections that every service has.
    fn host(&self) -> HostSettings;
}
