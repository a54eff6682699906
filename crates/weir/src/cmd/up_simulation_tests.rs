use super::*;
use crate::settings::{DEFAULTS, Settings};

#[test]
fn at_eighty_by_twenty_four_the_addresses_stay_and_nothing_is_cut() {
    let settings: Settings = service::load(DEFAULTS, None, []).unwrap();
    let host = Host::new("test", &service::Settings::host(&settings));
    let mut limits = Limits::new(&settings.health_check, &[]);
    let counts = Counts::default();
    for n in 0..68 {
        for _ in 0..=n {
            counts.came_out(&format!("events.github.a_kind_of_event_{n:02}"), None);
        }
    }
    let head = head("http://127.0.0.1:8080", "http://127.0.0.1:8081/");
    for (width, height) in [(80, 24), (100, 30), (60, 20)] {
        let text = whole(&host, &mut limits, &counts.totals(), Duration::from_secs(5), &head, Size { width, height });
        assert!(text.lines().count() < height, "{width}x{height}:\n{text}");
        assert!(text.contains("http://127.0.0.1:8080/webhooks/") && text.contains("http://127.0.0.1:8081/"), "{text}");
        assert!(text.lines().last().unwrap().contains(" more topics with "), "{text}");
    }
    let text =
        whole(&host, &mut limits, &counts.totals(), Duration::from_secs(5), &head, Size { width: 80, height: 24 });
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    insta::assert_snapshot!(text.lines().take(14).collect::<Vec<_>>().join("\n"));
}
