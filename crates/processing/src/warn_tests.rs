use super::*;

fn noisy(endpoint: &str, last: u64) -> Noisy {
    Noisy { endpoint: endpoint.into(), ratio: 1.0, last: Duration::from_secs(last) }
}

#[test]
fn nothing_is_told_where_nothing_more_is_refused() {
    let mut warnings = Warnings::default();
    let mut told =
        |noisy: Vec<Noisy>| -> Vec<String> { warnings.news(noisy).into_iter().map(|noisy| noisy.endpoint).collect() };
    assert_eq!(told(vec![noisy("a", 6), noisy("b", 6)]), ["a", "b"]);
    assert_eq!(told(vec![noisy("a", 6), noisy("b", 12)]), ["b"]);
    assert_eq!(told(vec![noisy("a", 6)]), [""; 0]);
    // It was over, and is there again.
    assert_eq!(told(vec![noisy("a", 6), noisy("b", 12)]), ["b"]);
}
