use super::*;

#[test]
fn an_ignored_hangup_is_seen() {
    let status =
        |mask: &str| format!("Name:\tweir\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\nSigCgt:\t0000000000000001\n");
    assert!(ignores_hangup(&status("0000000000000001")));
    assert!(ignores_hangup(&status("0000000000001001")));
    assert!(!ignores_hangup(&status("0000000000001000")), "that of pipes is ignored in every program");
    assert!(!ignores_hangup(&status("?")) && !ignores_hangup(""));
}
