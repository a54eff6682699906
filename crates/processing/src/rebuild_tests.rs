use super::*;

#[test]
fn reads_ids_as_they_are_written() {
    let original = Id::of("meta", "acme", &[b"x"]);
    assert_eq!(id(&original.to_string()), Some(original));
    for not_an_id in ["", "12", "+0000000000000000000000000000000", "0000000000000000000000000000000g"] {
        assert_eq!(id(not_an_id), None, "{not_an_id}");
    }
}
