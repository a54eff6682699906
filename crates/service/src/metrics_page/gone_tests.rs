use super::*;

const PAGE: &str = "\
# HELP weir_records_in_total Records that endpoint=\"app\" took in.
# TYPE weir_records_in_total counter
weir_records_in_total{stage=\"streaming\",endpoint=\"app\",source=\"github\"} 3
weir_records_in_total{stage=\"streaming\",endpoint=\"app-2\",source=\"github\"} 4
weir_refused_total{endpoint=\"app\",reason=\"too_large\"} 1
weir_refused_total{endpoint=\"\",reason=\"unknown_endpoint\"} 9
weir_check_state{service=\"an \\\"endpoint=\\\"app\\\"\",check=\"x\"} 0
weir_other{last_endpoint=\"app\"} 1

weir_http_connections 2
";

fn lines(page: &str) -> Vec<&str> {
    page.lines().filter(|line| line.contains("endpoint=\"app\"") && !line.starts_with('#')).collect()
}

#[test]
fn the_series_of_who_is_gone_leave_the_page_and_come_back_with_it() {
    let now = Instant::now();
    let mut gone = Gone::default();
    assert_eq!(gone.filter(PAGE.to_owned(), now), PAGE);
    gone.add("app", now);
    assert_eq!(gone.filter(PAGE.to_owned(), now), PAGE, "what was counted last is still read");
    // Told again, as a compacted topic does: it is gone since the first time.
    gone.add("app", now + STAYS / 2);
    let page = gone.filter(PAGE.to_owned(), now + STAYS);
    assert_eq!(lines(&page), ["weir_other{last_endpoint=\"app\"} 1"]);
    let left: Vec<_> = page.lines().collect();
    assert_eq!(left.len(), PAGE.lines().count() - 2, "{page}");
    assert!(page.contains("endpoint=\"app-2\"") && page.contains("endpoint=\"\"") && page.contains("# HELP"), "{page}");
    gone.fixed.insert("app".to_owned());
    assert_eq!(gone.filter(PAGE.to_owned(), now + STAYS), PAGE, "one of the settings stays");
    gone.fixed.clear();
    gone.since.remove("app");
    assert_eq!(gone.filter(PAGE.to_owned(), now + STAYS * 2), PAGE);
}

#[test]
fn others_of_this_process_can_tell() {
    endpoint_gone("test-gone-1");
    assert!(with(|gone| gone.since.contains_key("test-gone-1")));
    endpoint_here("test-gone-1");
    endpoint_here("test-gone-never");
    assert!(!with(|gone| gone.since.contains_key("test-gone-1")));
    assert_eq!(without_gone(PAGE.to_owned()), PAGE);
}
