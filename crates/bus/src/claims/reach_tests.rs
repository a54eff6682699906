use super::*;

const DAY: u64 = 24 * 3600 * 1000;
const NOW: u64 = 20_000 * DAY;

fn figures(evicted: u64) -> MemoryFigures<'static> {
    MemoryFigures { run: "r2", evicted, policy: "noeviction", used: 10, most: 0 }
}

fn reach(begun: Option<u64>, evicted_at: Option<u64>) -> Reach {
    Reach::of(Duration::from_millis(8 * DAY), NOW, begun, evicted_at, Some(NOW - 3 * DAY))
}

#[test]
fn what_is_whole() {
    let table = [
        ("nothing is known of its beginning", None, None, 8.0),
        ("older than a claim lasts", Some(NOW - 9 * DAY), None, 8.0),
        ("younger", Some(NOW - 2 * DAY), None, 2.0),
        ("thrown away a day ago", Some(NOW - 9 * DAY), Some(NOW - DAY), 1.0),
        ("thrown away before it began", Some(NOW - DAY), Some(NOW - 2 * DAY), 1.0),
        ("thrown away so long ago that all of it would have expired", None, Some(NOW - 8 * DAY), 8.0),
        ("a clock that went back", Some(NOW + DAY), None, 0.0),
    ];
    for (case, begun, evicted_at, days) in table {
        let reach = reach(begun, evicted_at);
        assert!((reach.days() - days).abs() < 1e-9, "{case}: {}", reach.days());
    }
}

#[test]
fn what_it_says() {
    let well = reach(None, None);
    assert_eq!(
        well.to_string(),
        "claims last 8.0 days, all claims of the last 8.0 days are present, the oldest in a sample is 3.0 days old"
    );
    assert_eq!((well.lost(), well.risk()), (None, None));
    let lost = Reach { evicted: 7, ..reach(None, Some(NOW - DAY)) };
    let text = lost.lost().unwrap();
    assert!(text.contains("(7 keys since it was started, the last 1.0 days ago)"), "{text}");
    let risky = Reach { evicts: Some("allkeys-lru".to_owned()), fill: Some(0.95), oldest: None, ..well };
    let text = risky.risk().unwrap();
    assert!(text.contains("maxmemory-policy is allkeys-lru") && text.contains("95% of the store's memory"), "{text}");
    assert!(risky.to_string().ends_with("the store has no claims yet"), "{risky}");
}

#[test]
fn info_is_read() {
    let info = "# Server\r\nrun_id:abc\r\n# Memory\r\nused_memory:95\r\nused_memory_rss:200\r\nmaxmemory:100\r\n\
                maxmemory_policy:volatile-ttl\r\n# Stats\r\nevicted_keys:12\r\n";
    let figures = MemoryFigures::read(info).unwrap();
    assert_eq!(figures, MemoryFigures { run: "abc", evicted: 12, policy: "volatile-ttl", used: 95, most: 100 });
    assert_eq!((figures.evicts().as_deref(), figures.fill()), (Some("volatile-ttl"), Some(0.95)));
    assert_eq!((super::MemoryFigures { policy: "noeviction", most: 0, ..figures }).evicts(), None);
    for missing in ["run_id", "evicted_keys", "maxmemory_policy", "used_memory:"] {
        let info: String =
            info.lines().filter(|line| !line.starts_with(missing)).map(|line| format!("{line}\n")).collect();
        assert_eq!(MemoryFigures::read(&info), None, "{missing}");
    }
}

#[test]
fn evictions_are_noted_once() {
    let at = NOW - DAY;
    let noted = |text: &'static str| format!("{text}:{at}");
    let table = [
        ("none ever", 0, None, None, None),
        ("the first", 5, None, Some(NOW), Some(5)),
        ("no more since", 5, Some(noted("r2:5")), Some(at), None),
        ("more since", 7, Some(noted("r2:5")), Some(NOW), Some(2)),
        ("started again", 0, Some(noted("r1:5")), Some(at), None),
        ("started again, and there are new ones", 3, Some(noted("r1:5")), Some(NOW), Some(3)),
        ("a count that was reset", 0, Some(noted("r2:5")), Some(at), None),
        ("not our note", 5, Some("what".to_owned()), Some(NOW), Some(5)),
    ];
    for (case, evicted, noted, last, counted) in table {
        let found = Evictions::of(&figures(evicted), noted.as_deref(), NOW);
        let note = counted.map(|counted| (format!("r2:{evicted}:{NOW}"), counted));
        assert_eq!(found, Evictions { last, note }, "{case}");
    }
}
