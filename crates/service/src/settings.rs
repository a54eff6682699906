//! Settings in layers: defaults, then a file, then the environment.

mod error;
mod fault;
mod grpc_tls;
mod kinds;
mod layers;
mod load;
mod reference;
mod secret;
mod sections;
mod stray;
mod tree;

pub use common::kinds::{Problem, Problems};
pub use fault::{Fault, SettingsError};
pub(crate) use grpc_tls::ANYBODY;
pub use grpc_tls::{AllowSettings, GrpcTlsSettings};
pub(crate) use load::check_files;
pub use load::{load, print};
pub use reference::{page, schema};
pub use secret::Secret;
pub use sections::{
    AdminSettings, DataSettings, GrpcSettings, HostSettings, LogFormat, SecretsSettings, ShutdownSettings,
    TelemetrySettings, check_listen,
};
pub(crate) use stray::{is_ours, unread};

use serde::Serialize;
use serde::de::DeserializeOwned;

/// All settings of a service: [`settings!`](macro@crate::settings) makes them of its sections. Every struct in it is
/// `#[serde(deny_unknown_fields)]` and has no default in code: the defaults are the commented TOML texts that [`load`]
/// gets.
pub trait Settings: DeserializeOwned + Serialize {
    /// What is wrong although every value has the right type and range: all of it, not the first. The sections of
    /// [`HostSettings`] are checked without being asked for here.
    fn validate(&self) -> Vec<Problem>;

    /// The sections that the host of every service reads.
    fn host(&self) -> HostSettings;
}

/// The settings of a service: those that every service has, and its own sections. The service says what is wrong with
/// them in a method `problems`, for [`Settings::validate`].
///
/// (`#[serde(flatten)]` does not do: it takes unknown keys, and reads values by way of a buffer that knows neither where
/// they were set nor that a variable is a text.)
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Clone, Debug, Deserialize, Serialize)]
/// # pub struct ShopSettings {}
/// service::settings! {
///     /// All settings of the shop.
///     pub struct Settings { shop: ShopSettings }
/// }
///
/// impl Settings {
///     fn problems(&self) -> Vec<service::Problem> {
///         Vec::new()
///     }
/// }
/// ```
#[macro_export]
macro_rules! settings {
    ($(#[$about:meta])* $vis:vis struct $name:ident { $($section:ident: $settings:ty),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Clone, Debug, ::serde::Deserialize, ::serde::Serialize)]
        #[serde(deny_unknown_fields)]
        $vis struct $name {
            /// `[admin]`
            $vis admin: $crate::AdminSettings,
            /// `[grpc]`
            $vis grpc: $crate::GrpcSettings,
            /// `[telemetry]`
            $vis telemetry: $crate::TelemetrySettings,
            /// `[shutdown]`
            $vis shutdown: $crate::ShutdownSettings,
            /// `[secrets]`
            $vis secrets: $crate::SecretsSettings,
            /// `[data]`
            $vis data: $crate::DataSettings,
            $(#[doc = concat!("`[", stringify!($section), "]`")] $vis $section: $settings,)+
        }

        impl $crate::Settings for $name {
            fn validate(&self) -> Vec<$crate::Problem> {
                self.problems()
            }

            fn host(&self) -> $crate::HostSettings {
                $crate::HostSettings {
                    admin: self.admin.clone(),
                    grpc: self.grpc.clone(),
                    telemetry: self.telemetry.clone(),
                    shutdown: self.shutdown.clone(),
                }
            }
        }
    };
}
