//! Records of other writers: any bytes decode or are refused, and what decodes survives the way back.
#![no_main]

use common::{activity::v1::Activity, deadletter::v1::DeadLetter, raw::v1::Delivery, registration::v1::Registration};
use libfuzzer_sys::fuzz_target;
use prost::Message;

fn round_trip<M: Message + Default + PartialEq + std::fmt::Debug>(bytes: &[u8]) {
    if let Ok(message) = M::decode(bytes) {
        assert_eq!(M::decode(message.encode_to_vec().as_slice()).as_ref(), Ok(&message));
    }
}

fuzz_target!(|bytes: &[u8]| {
    round_trip::<Delivery>(bytes);
    round_trip::<Activity>(bytes);
    round_trip::<DeadLetter>(bytes);
    if let Ok(registration) = Registration::decode(bytes) {
        let _ = common::registrations::validate(&registration);
        common::registrations::Registrations::default().apply(&registration.id.clone(), Some(registration));
    }
});
