//! Deliveries that are broken on purpose, each in one way.

use bytes::Bytes;
use fastrand::Rng;

use crate::delivery::{Delivery, Signature};
use crate::meaning::Fate;

/// Breaks a delivery and says what should become of it.
pub(super) fn spoil(mut delivery: Delivery, rng: &mut Rng) -> Delivery {
    match rng.u32(..9) {
        0 => refused(&mut delivery, Signature::Wrong),
        1 => refused(&mut delivery, Signature::Missing),
        2 => refused(&mut delivery, Signature::Malformed),
        3 => {
            delivery.endpoint = "sim-nobody".into();
            delivery.meaning.events.clear();
            delivery.meaning.fate = Fate::Refused(404);
        }
        4 => dead(&mut delivery, Bytes::from_static(b"<html>this is not JSON</html>")),
        5 => {
            // Cut off before the last brace, as by a proxy that gave up.
            let cut = delivery.body.len() * 2 / 3;
            let body = delivery.body.slice(..cut);
            dead(&mut delivery, body);
        }
        6 => {
            let mut body = delivery.body.to_vec();
            // After the first brace and quote: within a string.
            body[2] = 0xff;
            dead(&mut delivery, body.into());
        }
        7 => dead(&mut delivery, Bytes::from_static(b"")),
        _ => broken_item(&mut delivery),
    }
    delivery
}

fn refused(delivery: &mut Delivery, signature: Signature) {
    delivery.signature = signature;
    delivery.meaning.events.clear();
    delivery.meaning.fate = Fate::Refused(401);
}

fn dead(delivery: &mut Delivery, body: Bytes) {
    delivery.body = body;
    delivery.meaning.events.clear();
    delivery.meaning.fate = Fate::DeadLetters(1);
}

/// One entry of a batch is none: the others come out, it becomes a dead letter of its own.
fn broken_item(delivery: &mut Delivery) {
    const ENTRIES: &[u8] = b"\"entry\":[";
    let at = delivery.body.windows(ENTRIES.len()).position(|window| window == ENTRIES);
    let Some(at) = at else {
        return dead(delivery, Bytes::from_static(b"\"\\x is no escape\""));
    };
    let (before, after) = delivery.body.split_at(at + ENTRIES.len());
    delivery.body = [before, b"\"not an entry\",", after].concat().into();
    delivery.meaning.fate = Fate::DeadLetters(1);
}
