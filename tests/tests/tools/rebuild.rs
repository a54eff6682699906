//! A fresh table of the raw deliveries, compared with the one there is.

use weir_tests::wait;

use crate::{ALL, Log, Up, WITHIN, deliver, number, rows, says, succeeds, up};

/// Two rebuilds of what was delivered: as it was, and with another enrichment.
async fn is_rebuilt(up: &Up) {
    deliver(up).await;
    wait::until("all rows", WITHIN, || Ok((rows(up, "activities") == Some(ALL)).then_some(()))).unwrap();

    let same = succeeds(up, &["rebuild", "--into", "rebuilt"]);
    assert_eq!((number(&same, "deliveries read"), number(&same, "rows")), (ALL + 2, ALL), "{same}");
    assert_eq!((number(&same, "repeated"), number(&same, "refused")), (1, 1), "{same}");
    assert_eq!((number(&same, "the same"), number(&same, "different")), (ALL, 0), "{same}");
    assert_eq!((number(&same, "only in activities"), number(&same, "only in rebuilt")), (0, 0), "{same}");
    assert!(same.contains("Nothing was switched") && same.contains("select * from rebuilt union all"), "{same}");
    assert_eq!((rows(up, "rebuilt"), rows(up, "activities")), (Some(ALL), Some(ALL)));

    // Another enrichment: nothing looks at the text any more.
    let config = up.folder().join("other.toml");
    let steps = "[[enricher.steps]]\nname = \"registrations\"\ntype = \"lookup\"\nurl = \"processing\"\n\
                 lookup = \"registrations\"\nkey = [\"tenant\", \"endpoint\", \"source\", \"account_id\"]\n";
    std::fs::write(&config, steps).unwrap();
    let config = config.to_str().unwrap();
    let other = succeeds(up, &["rebuild", "--into", "other", "--config", config]);
    assert_eq!((number(&other, "the same"), number(&other, "different")), (0, ALL), "{other}");
    assert_eq!(number(&other, "hashtags"), ALL, "{other}");
    assert!(other.contains("activities: [\"hashtag\"]") && other.contains("other: []"), "{other}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_on_kafka_is_rebuilt_too() {
    let up = up(Log::Kafka, 200);
    is_rebuilt(&up).await;
    up.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rebuilt_table_is_compared_with_the_one_there_is() {
    let up = up(Log::Embedded, 200);
    is_rebuilt(&up).await;

    // A table that lacks something, and what may not be.
    let later = succeeds(&up, &["rebuild", "--into", "part", "--from", "1h"]);
    assert_eq!(number(&later, "the same"), ALL, "{later}");
    std::fs::create_dir_all(up.folder().join("weir-data/lake/left/day=2026-01-01")).unwrap();
    std::fs::write(up.folder().join("weir-data/lake/left/day=2026-01-01/x.parquet"), "half").unwrap();
    for (arguments, told) in [
        (&["--into", "activities"][..], "choose another name"),
        (&["--into", "rebuilt"], "choose another name"),
        (&["--into", "left"], "Remove the folder"),
        (&["--into", "No/Name"], "not a valid table name"),
        (&["--into", "x", "--from", "1h", "--to", "2h"], "--to is not after --from"),
        (&["--into", "x", "--to", "1h"], "no delivery of this period"),
    ] {
        let (succeeded, text) = says(&up, &[&["rebuild"], arguments].concat());
        assert!(!succeeded && text.contains(told), "{arguments:?} says: {text}");
    }
    up.stop();
}
