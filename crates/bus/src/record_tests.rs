use common::registration::v1::Registration;
use common::topics::REGISTRATIONS;

use super::*;

fn stored(record: Record) -> Stored {
    Stored {
        coordinates: "log/registrations/0/1".parse().unwrap(),
        key: Some(record.key.into()),
        payload: record.payload.map(Into::into),
        headers: record.headers,
        produced_at_ms: 0,
    }
}

#[test]
fn a_message_says_what_it_is() {
    let message = Registration { id: "a".to_owned(), revision: 3, ..Registration::default() };
    let headers = Headers { id: "1".to_owned(), r#type: "overwritten".to_owned(), ..Headers::default() };
    let record = Record::new(&REGISTRATIONS, "a", &message, headers);
    assert_eq!((&*record.topic, record.key.as_slice()), ("registrations", &b"a"[..]));
    assert_eq!(record.headers.r#type, "weir.registration.v1.Registration");
    assert_eq!(stored(record).decode::<Registration>().unwrap(), message);
}

#[test]
fn a_canary_is_no_message_and_what_carries_canaries_is_one() {
    let canary: Canary = "raw.meta/3@17".parse().unwrap();
    let sent = Record::canary(&REGISTRATIONS, "a", canary.clone());
    assert_eq!((sent.headers.id.as_str(), sent.payload.as_deref()), ("raw.meta/3@17", Some(&[][..])));
    // Whoever does not know canaries can decode it.
    assert_eq!(stored(sent.clone()).decode::<Registration>().unwrap(), Registration::default());
    assert_eq!(stored(sent).canary(), Some(&canary));
    let message = Registration { id: "a".to_owned(), ..Registration::default() };
    let carries = Headers { canaries: vec![canary], ..Headers::default() };
    assert_eq!(stored(Record::new(&REGISTRATIONS, "a", &message, carries)).canary(), None);
    assert_eq!(stored(Record::tombstone(&REGISTRATIONS, "a")).canary(), None);
}

#[test]
fn what_is_another_message_is_refused() {
    let other =
        Record::encoded("registrations", "a", vec![], Headers { r#type: "x.Y".to_owned(), ..Headers::default() });
    let error = stored(other).decode::<Registration>().unwrap_err().to_string();
    assert_eq!(
        error,
        "record log/registrations/0/1: its ce_type is \"x.Y\", expected \"weir.registration.v1.Registration\""
    );
    let tombstone = Record::tombstone(&REGISTRATIONS, "a");
    assert_eq!(tombstone.payload, None);
    assert!(stored(tombstone).decode::<Registration>().is_err());
    let kind = Headers { r#type: "weir.registration.v1.Registration".to_owned(), ..Headers::default() };
    let broken = Record::encoded("registrations", "a", vec![0xff; 4], kind);
    let error = stored(broken).decode::<Registration>().unwrap_err().to_string();
    assert!(error.contains("its value is not a weir.registration.v1.Registration"), "{error}");
}
