use super::*;

const LIMITS: StormLimits =
    StormLimits { window: Duration::from_secs(60), min_deliveries: 100, ratio: 0.5, min_elsewhere: 10 };

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// `of` is the endpoint, its deliveries, and how many of them are refused whole.
fn weather(of: &[(&str, u64, u64)]) -> Weather {
    let mut storm = Storm::new(LIMITS);
    for (endpoint, deliveries, refused) in of {
        for n in 0..*deliveries {
            storm.record(endpoint, usize::from(n < *refused), 1, at(1));
        }
    }
    storm.weather(at(2))
}

#[test]
fn tells_a_bad_sender_from_a_bad_release() {
    assert_eq!(weather(&[]), Weather::Calm);
    assert_eq!(weather(&[("a", 1000, 0)]), Weather::Calm);
    // Too few to prove anything.
    assert_eq!(weather(&[("a", 40, 40), ("b", 40, 40)]), Weather::Calm);
    // One endpoint alone, whatever it sends.
    assert_eq!(weather(&[("a", 500, 500)]), Weather::Endpoint { endpoint: "a".into(), ratio: 1.0 });
    assert_eq!(weather(&[("a", 500, 500), ("b", 200, 0)]), Weather::Endpoint { endpoint: "a".into(), ratio: 1.0 });
    // A few at another endpoint are no pattern yet.
    assert_eq!(weather(&[("a", 500, 500), ("b", 9, 9)]), Weather::Endpoint { endpoint: "a".into(), ratio: 1.0 });
    // All of several endpoints.
    assert_eq!(
        weather(&[("a", 100, 100), ("b", 60, 50)]),
        Weather::Storm { ratio: 150.0 / 160.0, endpoints: vec!["a".into(), "b".into()] }
    );
    // Exactly the ratio is not above it.
    assert_eq!(weather(&[("a", 100, 50), ("b", 100, 50)]), Weather::Calm);
}

#[test]
fn one_broken_change_in_a_large_batch_weighs_little() {
    let mut storm = Storm::new(LIMITS);
    for n in 0..200 {
        storm.record(if n % 2 == 0 { "a" } else { "b" }, 1, 1000, at(1));
        storm.record("empty", 0, 0, at(1));
    }
    assert_eq!(storm.weather(at(1)), Weather::Calm);
}

#[test]
fn forgets_what_has_left_the_window() {
    let mut storm = Storm::new(LIMITS);
    for n in 0..200 {
        storm.record(if n % 2 == 0 { "a" } else { "b" }, 1, 1, at(10));
    }
    assert!(matches!(storm.weather(at(60)), Weather::Storm { .. }));
    assert_eq!(storm.weather(at(70)), Weather::Calm);
    storm.record("a", 0, 1, at(71));
    assert_eq!(storm.weather(at(71)), Weather::Calm);
}

#[test]
fn every_endpoint_of_which_most_is_refused_is_told_with_its_last_refusal() {
    let mut storm = Storm::new(LIMITS);
    let noisy = |storm: &mut Storm, seconds| -> Vec<_> {
        storm.noisy(at(seconds)).into_iter().map(|noisy| (noisy.endpoint, noisy.last)).collect()
    };
    for n in 0..1000 {
        storm.record("fine", 0, 1, at(1));
        if n < 120 {
            storm.record("a", 1, 1, at(1));
            storm.record("b", usize::from(n % 4 > 0), 1, at(1));
        }
        if n < 90 {
            storm.record("few", 1, 1, at(1));
        }
    }
    // Both, not the worst alone; a step is six seconds long.
    assert_eq!(noisy(&mut storm, 2), [("a".to_owned(), at(6)), ("b".to_owned(), at(6))]);
    storm.record("b", 1, 1, at(20));
    assert_eq!(noisy(&mut storm, 30), [("a".to_owned(), at(6)), ("b".to_owned(), at(24))]);
    assert_eq!(noisy(&mut storm, 61), [], "what is left in the window is too little");

    let mut ours = Storm::new(LIMITS);
    for endpoint in ["a", "b"] {
        (0..200).for_each(|_| ours.record(endpoint, 1, 1, at(1)));
    }
    assert_eq!(ours.noisy(at(2)), [], "of several at once no sender is to blame");
}
