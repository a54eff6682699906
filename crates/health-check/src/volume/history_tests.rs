use super::*;

#[test]
fn what_is_told_again_counts_once_and_nothing_is_taken_away() {
    let mut history = History::default();
    assert!(history.raise("shop", 10, 5, 9));
    assert!(!history.raise("shop", 10, 5, 9), "told again");
    assert!(!history.raise("shop", 10, 3, 9), "an instance has ended, and is not in the sum any more");
    assert!(history.raise("shop", 10, 7, 9));
    assert_eq!(history.so_far("shop", 10), 7);
    assert!(!history.raise("shop", 9, 7, 9), "before its first hour");
    assert_eq!((history.first("shop"), history.last("shop")), (Some(10), Some(10)));
}

#[test]
fn only_watched_hours_are_known_and_not_the_first_one() {
    let mut history = History::default();
    history.raise("shop", 10, 5, 9);
    history.raise("shop", 13, 8, 9);
    assert_eq!(history.count("shop", 13), None);
    (10..=14).filter(|hour| *hour != 12).for_each(|hour| history.watch(hour));
    let counts = [9, 10, 11, 12, 13, 14, 15].map(|hour| history.count("shop", hour));
    assert_eq!(counts, [None, None, Some(0), None, Some(8), Some(0), None]);
    assert_eq!(history.count("stranger", 11), None);
}

#[test]
fn five_weeks_are_kept_and_an_endpoint_with_nothing_in_them_is_forgotten() {
    let mut history = History::default();
    for hour in 0..2000 {
        history.watch(hour);
        history.raise("shop", hour, 1 + hour as u64, 9);
    }
    history.raise("old", 100, 1, 9);
    history.forget(2000);
    assert_eq!(history.first("shop"), Some(2000 - WEEKS * WEEK - 3));
    assert_eq!(history.count("shop", 1999), Some(2000));
    assert_eq!(history.count("shop", 100), None);
    assert_eq!(history.endpoints().collect::<Vec<_>>(), ["shop"]);
}

#[test]
fn who_is_clearly_louder_for_a_week_gets_the_place_of_the_quietest() {
    let mut history = History::default();
    for hour in 0..=WEEK {
        history.raise("loud", hour, if hour < WEEK - 24 { 100 } else { 0 }, 3);
        history.raise("nightly", hour, if hour % 24 == 0 { 1000 } else { 0 }, 3);
        history.raise("soft", hour, 1, 3);
        history.raise("fourth", hour, 90, 3);
        history.raise(ALL, hour, 191, 3);
    }
    let names = |history: &History| history.endpoints().map(str::to_owned).collect::<Vec<_>>();
    let ripe = |endpoint: &str, weekly| Ripe { endpoint: endpoint.to_owned(), weekly, hourly: 7 };
    assert_eq!(names(&history), ["loud", "nightly", "soft"]);
    history.admit(vec![ripe("fourth", 300)], WEEK);
    assert_eq!(names(&history), ["loud", "nightly", "soft"], "not clearly louder");
    history.admit(vec![ripe("fourth", 90 * 168), ripe("burst", 10_000)], WEEK);
    assert_eq!(names(&history), ["fourth", "loud", "nightly"], "who is silent at times keeps its place");
    assert_eq!(history.so_far("fourth", WEEK), 7);
    history.admit(vec![ripe("fifth", 1_000_000), ripe("sixth", 900_000), ripe("seventh", 800_000)], WEEK + 1);
    assert_eq!(names(&history), ["fifth", "fourth", "sixth"], "who is new is not compared");
    assert_eq!(history.so_far(ALL, 3), 191);
    assert!(!history.raise("nobody", 3, 5, 0));
    assert!(history.raise(ALL, 3, 500, 0));
}
