use std::time::{Duration, Instant};

use super::*;

fn command(script: &str) -> NagiosSettings {
    NagiosSettings { command: ["sh", "-c", script].map(str::to_owned).to_vec() }
}

#[test]
fn the_exit_code_is_the_result_and_the_first_line_says_it() {
    let found = |state, message: &str, value| Found { state, message: message.to_owned(), value };
    for (code, written, expected) in [
        (
            Some(0),
            "TCP OK - 0.001 second response time on port 22|time=0.001172s;;;0.0;10.0\n",
            found(State::Ok, "TCP OK - 0.001 second response time on port 22", Some(0.001_172)),
        ),
        (
            Some(1),
            "DISK WARNING - 5% left | '/'=94GB;90;95 '/home'=1GB\nmore\n",
            found(State::Warning, "DISK WARNING - 5% left", Some(94.0)),
        ),
        (Some(1), "LOAD | 'a = b'=-1.5;1\n", found(State::Warning, "LOAD", Some(-1.5))),
        (Some(2), "CRITICAL\n", found(State::Failing, "CRITICAL", None)),
        (Some(3), "no such host|time=U\n", found(State::Unknown, "no such host", None)),
        (Some(0), "", found(State::Ok, "the plugin wrote nothing", None)),
        (
            Some(127),
            "",
            found(State::Failing, "the plugin exited with 127, which is no result: the plugin wrote nothing", None),
        ),
        (None, "begun", found(State::Failing, "a signal ended the plugin: begun", None)),
    ] {
        assert_eq!(result(code, written), expected, "{code:?} {written:?}");
    }
}

#[tokio::test]
async fn programs_are_run_without_a_shell_and_without_end() {
    let found = run(&command("echo 'DUMMY WARNING: so-so|n=7'; exit 1")).await;
    assert_eq!(found, Found { state: State::Warning, message: "DUMMY WARNING: so-so".to_owned(), value: Some(7.0) });

    let arguments = ["echo", "$HOME;", "|x=2"].map(str::to_owned).to_vec();
    let found = run(&NagiosSettings { command: arguments }).await;
    assert_eq!((found.message.as_str(), found.value), ("$HOME;", Some(2.0)), "nothing is expanded");

    let found = run(&NagiosSettings { command: vec!["/there/is/no/plugin".to_owned()] }).await;
    assert_eq!(found.state, State::Failing);
    assert!(found.message.starts_with("cannot run /there/is/no/plugin: "), "{}", found.message);

    // Without end, and more than is read.
    let found = run(&command("exec yes")).await;
    assert_eq!((found.state, found.message.as_str()), (State::Failing, "a signal ended the plugin: y"));
}

#[tokio::test]
async fn one_that_hangs_is_ended_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let pid = folder.path().join("pid");
    let script = format!("sleep 600 & echo $! > {0}.new; mv {0}.new {0}; wait", pid.display());
    let plugin = command(&script);
    let started = async {
        while !pid.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        found = run(&plugin) => panic!("it ended: {found:?}"),
        () = started => {}
    }
    // A process that has ended and that nobody has asked yet is a zombie.
    let child: u32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
    let status = format!("/proc/{child}/stat");
    let lives = || std::fs::read_to_string(&status).is_ok_and(|stat| !stat.contains(") Z "));
    let begun = Instant::now();
    while lives() && begun.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(!lives(), "{child} still runs");
}
