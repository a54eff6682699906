use proptest::prelude::*;

use super::*;

#[test]
fn reads_as_in_the_header() {
    let at = Coordinates { log: "MkU3.1".into(), topic: "prod.raw.meta".into(), partition: 3, offset: 42 };
    assert_eq!(at.to_string(), "MkU3.1/prod.raw.meta/3/42");
    assert_eq!("MkU3.1/prod.raw.meta/3/42".parse(), Ok(at));
}

#[test]
fn refuses_what_are_no_coordinates() {
    for text in ["", "a/b/1", "a//1/2", "a/b/x/2", "a/b/1/x", "a/b/1/99999999999999999999", "a/b/1/2/"] {
        assert_eq!(text.parse::<Coordinates>(), Err(NotCoordinates(text.to_owned())), "{text:?}");
    }
}

proptest! {
    #[test]
    fn come_back_as_they_were(log in "\\PC{0,40}", topic in "[a-zA-Z0-9._-]{1,60}", partition: i32, offset: i64) {
        let at = Coordinates { log: log.into(), topic: topic.into(), partition, offset };
        prop_assert_eq!(at.to_string().parse(), Ok(at));
    }

    #[test]
    fn no_text_is_too_odd(text in "\\PC*") {
        let _ = text.parse::<Coordinates>();
    }
}
