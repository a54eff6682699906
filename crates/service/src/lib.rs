//! What every service of Weir stands on.
//!
//! * [`mod@settings`]: layered settings whose errors name the key, where it was set and the fix
//! * [`Service`], [`main_of`]: what a service is to its process
//! * [`main`]: the `main` of a service: flags, telemetry, signals, deadlines, exit codes
//! * [`host`]: the admin server and the gRPC server of one process, its tasks and its shutdown
//! * [`health`]: checks and their digest
//! * [`counts`]: what each hop did with what it took in
//! * [`errors`]: the errors of the process, told with the digest
//! * [`digest_json`]: the digest as JSON
//! * [`http`]: the accept loop under every HTTP server, with the limits a public port needs
//! * `layers`: what a request goes through, one stack for each kind of server and client
//! * [`outbound`]: where connections may go
//! * [`seal`]: secrets that are stored
//! * [`restarts`]: one service of several in a process ends and runs again
//! * [`signals`]: the signals that ask a process to end
//! * [`tls`]: TLS, for what listens and for what connects
//! * [`trace`]: trace context in and out of headers
//! * [`escape`]: text of others on its way to a terminal
//! * [`clock`]: the one place that reads the clock

mod admin;
mod allocator;
pub mod bind;
pub mod clock;
pub mod counts;
mod descriptors;
pub mod digest_json;
mod entry;
pub mod errors;
pub mod escape;
mod grpc;
pub mod health;
pub mod host;
mod hosted;
pub mod http;
mod layers;
mod lifecycle;
mod metrics_page;
pub mod outbound;
pub mod restarts;
pub mod seal;
pub mod settings;
pub mod signals;
mod telemetry;
pub mod tls;
pub mod trace;

pub use bind::{ListenError, bind};
pub use counts::{Counts, HopCounts, Taken, What};
pub use entry::{Flags, complain, environment, main, main_with, usage};
pub use health::{Action, CheckHandle, CheckSpec, Digest, FailureKind, Health, State};
pub use host::{Addresses, Host};
pub use hosted::{Service, main_of};
pub use http::HttpLimits;
pub use layers::grpc_client::{CallLimits, Channel, Uri};
pub use lifecycle::{EXIT_BAD_SETTINGS, EXIT_DEADLINE, EXIT_FAILED, EXIT_SECOND_SIGNAL};
pub use metrics_page::{Family, MetricKind};
pub use settings::{
    AdminSettings, AllowSettings, DataSettings, Fault, GrpcSettings, GrpcTlsSettings, HostSettings, LogFormat, Problem,
    Problems, Secret, SecretsSettings, Settings, SettingsError, ShutdownSettings, TelemetrySettings, check_listen,
    load, print,
};

/// The settings that every service has, as commented TOML: `[data]`, `[admin]`, `[grpc]`, `[telemetry]`, `[shutdown]`
/// and `[secrets]`. To be given to [`main`] beside the service's own.
pub const DEFAULTS: &str = include_str!("../settings.default.toml");
