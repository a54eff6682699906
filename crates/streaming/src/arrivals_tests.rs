use super::*;

fn totals(requests: u64, proxy: u64) -> UnservedTotals {
    let mut totals = UnservedTotals { requests, ..UnservedTotals::default() };
    totals.unserved[Unserved::ALL.iter().position(|why| *why == Unserved::ProxyHeader).unwrap()] = proxy;
    totals
}

fn at(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

#[test]
fn warns_where_most_connections_come_to_no_request_and_ends_by_itself() {
    let mut arrivals = Arrivals::default();
    // The seconds, the requests and the refused connections since the start, and whether it warns.
    let looks = [
        (0, 0, 0, false),
        (1, 100, 0, false),
        // A stranger tries the port now and then.
        (2, 200, 4, false),
        (40, 200, 4, false),
        // The balancer was changed: the requests of a minute ago count no more.
        (61, 200, 20, false),
        (63, 200, 30, true),
        (90, 200, 60, true),
        // It was changed back.
        (100, 250, 60, true),
        (101, 290, 60, false),
        (200, 300, 60, false),
    ];
    for (seconds, requests, proxy, warns) in looks {
        let said = arrivals.look(at(seconds), totals(requests, proxy));
        assert_eq!(said.is_some(), warns, "at {seconds}: {said:?}");
        if let Some(said) = said {
            assert!(said.contains("turn the PROXY protocol off"), "{said}");
        }
    }
}

#[test]
fn what_few_do_is_no_warning() {
    let mut arrivals = Arrivals::default();
    assert_eq!(arrivals.look(at(0), totals(0, 4)), None);
    assert!(arrivals.look(at(1), totals(0, 5)).is_some());
}

#[test]
fn no_more_is_remembered_than_the_window_needs() {
    let mut arrivals = Arrivals::default();
    for second in 0..10_000 {
        arrivals.look(at(second), totals(second, 0));
    }
    assert!(arrivals.seen.len() <= 62, "{}", arrivals.seen.len());
}
