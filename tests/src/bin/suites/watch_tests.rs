use std::io;

use super::*;

fn shell(script: &str) -> Watched {
    run(Path::new("/bin/sh"), &["-c".into(), script.into()], io::sink()).unwrap()
}

#[test]
fn what_a_program_prints_is_timed_and_its_end_is_handed_on() {
    let watched = shell("echo running 1 test; echo 'test a ... ok'; exit 3");
    assert_eq!(watched.status.code(), Some(3));
    let suite = watched.suite("p/t".to_owned(), 1.5);
    assert_eq!((suite.name.as_str(), suite.tests.len()), ("p/t", 1));
    assert!(suite.tests[0].seconds <= suite.seconds);
}

#[test]
fn a_process_that_is_left_behind_is_not_waited_for() {
    let began = Instant::now();
    let watched = shell("sleep 30 & true");
    assert_eq!(watched.status.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(20));
}
