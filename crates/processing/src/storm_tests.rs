use super::*;

const LIMITS: Limits = Limits { window: Duration::from_secs(60), min_deliveries: 100, ratio: 0.5, min_elsewhere: 10 };

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
