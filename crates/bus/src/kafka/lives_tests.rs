use super::*;

#[test]
fn a_commit_says_whose_it_is_and_keeps_its_mark() {
    let mark = Mark { ended: 2, run: Some(8), record: None };
    for (id, mark, text) in [
        (None, None, None),
        (None, Some(mark), Some("weir:ended=2,run=0000000000000008")),
        (Some("ab12"), None, Some("weir:topic=ab12")),
        (Some("ab12"), Some(mark), Some("weir:topic=ab12,ended=2,run=0000000000000008")),
    ] {
        let written = metadata(id, mark);
        assert_eq!(written.as_deref(), text);
        let written = written.unwrap_or_default();
        assert_eq!(id_of(&written).as_deref(), id, "{written:?}");
        assert_eq!(Mark::read(&written), mark, "{written:?}");
    }
    for text in ["", "topic=ab12", "other:topic=ab12"] {
        assert_eq!(id_of(text), None, "{text:?}");
    }
}

#[test]
fn nothing_of_a_topic_that_was_replaced_begins_before_the_rest_is_given_up() {
    let known = Arc::new(Known::default());
    let (topic, first, second): (Arc<str>, Arc<str>, Arc<str>) = ("t".into(), "1".into(), "2".into());
    let is_replaced = || lock(&known.replaced).contains(&topic);
    let begun = || lock(&known.begun).get(&topic).cloned();
    known.saw(&topic, &first);
    assert!(!is_replaced(), "nothing of it has begun");
    known.begin(&topic, &first).unwrap();
    known.begin(&topic, &first).unwrap();
    assert!(!is_replaced());
    known.begin(&topic, &second).unwrap_err();
    assert!(is_replaced());
    assert_eq!(begun(), Some(first), "what began before commits as what it is");
    known.given_up(&HashSet::from([Arc::clone(&topic)]));
    assert!(!is_replaced());
    known.begin(&topic, &second).unwrap();
    assert_eq!(begun(), Some(second));
}
