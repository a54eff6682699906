use super::{Id, NoId};

#[test]
fn is_golden() {
    // Made once with another SHA-256 (Python's hashlib) and never to change.
    assert_eq!(Id::of("github", "acme", &[b"72d3162e", b"body"]).to_string(), "60ed348dcdfcd157e309b485c87e8886");
}

#[test]
fn fields_do_not_run_into_each_other() {
    assert_ne!(Id::of("s", "t", &[b"ab", b"c"]), Id::of("s", "t", &[b"a", b"bc"]));
    assert_ne!(Id::of("st", "", &[]), Id::of("s", "t", &[]));
    assert_ne!(Id::of("s", "t", &[b""]), Id::of("s", "t", &[]));
}

#[test]
fn reads_ids_as_they_are_written() {
    let original = Id::of("meta", "acme", &[b"x"]);
    assert_eq!(original.to_string().parse(), Ok(original));
    for not_an_id in ["", "12", "+0000000000000000000000000000000", "0000000000000000000000000000000g"] {
        assert_eq!(not_an_id.parse::<Id>(), Err(NoId), "{not_an_id}");
    }
}
