use super::*;

fn seen(threads: usize, printed: &[(u64, &str)]) -> Vec<(String, f64)> {
    let mut seen = Seen::new(threads);
    for (at, text) in printed {
        seen.take(text.as_bytes(), Duration::from_secs(*at));
    }
    seen.tests().into_iter().map(|test| (test.name, test.seconds)).collect()
}

fn took(name: &str, seconds: u32) -> (String, f64) {
    (name.to_owned(), f64::from(seconds))
}

#[test]
fn a_test_begins_when_an_earlier_one_ends() {
    let printed = [
        (1, "\nrunning 5 tests\n"),
        (2, "test a::first ... ok\n"),
        (6, "test a::third ... ignored, is run by another\ntest a::second - should panic ... ok\n"),
        (61, "test b has been running for over 60 seconds\n"),
        (70, "test c ... FAIL"),
        (71, "ED\ntest b ... ok\n\ntest result: FAILED. 3 passed; 1 failed; 1 ignored; finished in 70.00s\n"),
    ];
    // a::first and a::second begin at once; a::third follows the first of them.
    let expected = [took("a::first", 1), took("a::third", 4), took("a::second", 5), took("c", 65), took("b", 65)];
    assert_eq!(seen(2, &printed), expected);
}

#[test]
fn one_after_the_other_where_there_is_one_processor() {
    let printed = [(0, "running 2 tests\n"), (3, "test a ... ok\n"), (4, "test b ... ok\n")];
    assert_eq!(seen(1, &printed), [took("a", 3), took("b", 1)]);
}

#[test]
fn nothing_is_made_up_where_the_order_was_another() {
    let printed = [(0, "running 3 tests\n"), (1, "test c ... ok\n"), (2, "test a ... ok\n"), (4, "test b ... ok\n")];
    assert_eq!(seen(1, &printed), [took("a", 2), took("b", 2)]);
}

#[test]
fn a_program_without_the_harness_has_no_tests() {
    assert!(seen(2, &[(1, "services-killed: services in 7.4 s\n"), (2, "test of mine ... done\n")]).is_empty());
}

#[test]
fn what_is_written_down_is_read() {
    let folder = weir_tests::scratch::Scratch::new("suites").unwrap();
    let suite = Suite {
        name: "weir-tests/bus".to_owned(),
        seconds: 3.5,
        slower: 1.25,
        tests: vec![Timed { name: "a".to_owned(), seconds: 1.5 }],
    };
    suite.write(folder.path(), Path::new("/target/bus-1")).unwrap();
    assert_eq!(Suite::read_all(folder.path()).unwrap(), std::slice::from_ref(&suite));

    // A program of the same name.
    suite.write(folder.path(), Path::new("/target/bus-2")).unwrap();
    let [both] = Suite::read_all(folder.path()).unwrap().try_into().unwrap();
    assert_eq!((both.seconds, both.slower, both.tests.len()), (7.0, 1.25, 2));
}
