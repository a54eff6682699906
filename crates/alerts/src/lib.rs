//! Who is told of what is wrong: from what each round of health-check found to what is to be sent to whom. Pure.
//!
//! * [`alert`]: what is wrong; [`inhibition`]: what follows from what
//! * [`matcher`], [`calendar`]: which alerts, and when; [`silences`]: the file that says so
//! * [`policy`]: who is told of what, and when
//! * [`router`]: what is to be sent to whom, after each round; [`message`]: what is sent

pub mod alert;
pub mod calendar;
pub mod inhibition;
pub mod matcher;
pub mod message;
pub mod policy;
pub mod router;
pub mod silences;

pub use alert::{Alert, Class, Fingerprint};
pub use message::Message;
pub use policy::Policy;
pub use router::Router;
