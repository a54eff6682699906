//! Who is told of what is wrong.
//!
//! ```text
//! what health-check found ─▶ Router ─▶ messages ─▶ Delivery ─▶ Sink ─▶ webhook, chat, PagerDuty, Alertmanager, mail
//!      each round            (pure)                   └▶ heartbeat
//! ```
//!
//! * [`alert`]: what is wrong; [`inhibition`]: what follows from what
//! * [`matcher`], [`calendar`]: which alerts, and when; [`silences`]: the file that says so
//! * [`policy`]: who is told of what, and when; [`settings`]: as it is set
//! * `pending`: what has lasted for long enough; [`open`]: what is not over
//! * [`router`]: what is to be sent to whom, after each round; `group`: what was told of one cause; [`message`]: what is sent
//! * [`sinks`]: how a receiver is told; `signature`: how webhooks are signed
//! * [`delivery`]: delivers, tries again, remembers; `receiver`: how it goes with one receiver; `access`: to files, in time

mod access;
pub mod alert;
pub mod calendar;
pub mod delivery;
mod group;
pub mod inhibition;
pub mod matcher;
pub mod message;
pub mod open;
mod pending;
pub mod policy;
mod receiver;
pub mod router;
pub mod settings;
mod signature;
pub mod silences;
pub mod sinks;

pub use alert::{Alert, Class, Fingerprint};
pub use delivery::Delivery;
pub use message::Message;
pub use policy::Policy;
pub use router::Router;
pub use settings::{AlertsSettings, DEFAULTS};
