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
fn a_topic_with_another_id_was_replaced() {
    let known = Known::default();
    let (topic, id): (Arc<str>, Arc<str>) = ("t".into(), "1".into());
    known.saw(&topic, &id);
    assert!(lock(&known.replaced).is_empty(), "nothing of it has begun");
    lock(&known.begun).insert(Arc::clone(&topic), Arc::clone(&id));
    known.saw(&topic, &id);
    assert!(lock(&known.replaced).is_empty());
    known.saw(&topic, &"2".into());
    assert_eq!(*lock(&known.replaced), HashSet::from([topic]));
}
