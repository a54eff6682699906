use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn place(partition: i32) -> TopicPartition {
    ("t".into(), partition)
}

/// Looks once a second, from `from` to `until`; when it first said that another client is needed, and why.
fn looks(
    fetching: &mut Fetching,
    began: Instant,
    (from, until): (u32, u32),
    behind: impl Fn(u32) -> Vec<(TopicPartition, i64)>,
) -> Option<(u32, String)> {
    (from..until).find_map(|second| {
        let now = began + second * SECOND;
        assert!(fetching.is_due(now));
        fetching.look(behind(second), None, now).map(|why| (second, why))
    })
}

#[test]
fn who_is_given_nothing_for_long_needs_another_client() {
    let (mut fetching, began) = (Fetching::default(), Instant::now());
    let (second, why) = looks(&mut fetching, began, (0, 60), |_| vec![(place(1), 7)]).unwrap();
    assert_eq!(second, 31);
    assert_eq!(why, "partition 1 of t has record 7, and it was not fetched for 31 s");
    // The next client has no partition at first, and cannot fetch this one either: it has longer.
    assert_eq!(looks(&mut fetching, began, (32, 36), |_| vec![]), None);
    let (second, _) = looks(&mut fetching, began, (36, 200), |_| vec![(place(1), 7)]).unwrap();
    assert_eq!(second, 36 + 61);
    // One that gets on slowly has longer too, and after hours without trouble nothing of that counts.
    let (second, _) = looks(&mut fetching, began, (98, 300), |_| vec![(place(1), 8)]).unwrap();
    assert_eq!(second, 98 + 121);
    let (second, _) = looks(&mut fetching, began, (9000, 9100), |_| vec![(place(1), 9)]).unwrap();
    assert_eq!(second, 9000 + 31);
}

#[test]
fn a_partition_that_gets_on_or_has_nothing_more_needs_none() {
    let (mut fetching, began) = (Fetching::default(), Instant::now());
    assert_eq!(looks(&mut fetching, began, (0, 300), |second| vec![(place(0), i64::from(second / 20))]), None);
    // Behind for a moment now and then, with records that come in between.
    let now_and_then = |second: u32| if second.is_multiple_of(10) { vec![] } else { vec![(place(0), 50)] };
    assert_eq!(looks(&mut fetching, began, (300, 600), now_and_then), None);
    // Another one that gets on does not hide one that does not.
    let both = |second: u32| vec![(place(0), i64::from(second)), (place(1), 3)];
    assert_eq!(looks(&mut fetching, began, (600, 700), both).map(|(second, _)| second), Some(631));
}

#[test]
fn time_in_which_nobody_looked_or_the_log_was_away_does_not_count() {
    let (mut fetching, began) = (Fetching::default(), Instant::now());
    let behind = || vec![(place(0), 3)];
    // The stage took nothing meanwhile.
    assert_eq!(fetching.look(behind(), None, began), None);
    assert_eq!(fetching.look(behind(), None, began + 300 * SECOND), None);
    for second in 301..330 {
        let now = began + second * SECOND;
        assert_eq!(fetching.look(behind(), None, now), None);
    }
    let away = Some(began + 330 * SECOND);
    for second in 330..360 {
        assert_eq!(fetching.look(behind(), away, began + second * SECOND), None, "{second}");
    }
    assert!(fetching.look(behind(), away, began + 361 * SECOND).is_some());
    assert!(!fetching.is_due(began + 361 * SECOND + SECOND / 2));
}

#[test]
fn a_client_fetches_until_it_has_enough() {
    let mut file: toml::Table = toml::from_str(crate::DEFAULTS).unwrap();
    let settings: crate::Settings = file.remove("bus").unwrap().try_into().unwrap();
    let settings = ConsumerSettings { fetch_ahead_bytes: 2 << 20, ..settings.consumer };
    for (records, bytes, wanted) in [
        (0, 0, Ahead::Nothing),
        (1, 10, Ahead::Some),
        (9_999, 2_047_999, Ahead::Some),
        (10_000, 10, Ahead::Full),
        (1, 2_048_000, Ahead::Full),
    ] {
        assert_eq!(ahead(records, bytes, &settings), wanted, "{records} records, {bytes} bytes");
    }
}
