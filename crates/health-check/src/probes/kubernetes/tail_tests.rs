use super::*;

#[test]
fn lines_have_their_times_and_what_has_none_is_no_line() {
    const LINES: &str = "2026-12-01T03:00:00.000000001Z one\n2026-12-01T04:00:00.1+01:00 \n2026-12-01T03:00:01.5Z tw";
    for (body, is_cut, wanted) in [
        // A line may be empty, and the last one is not there yet.
        (LINES, false, Ok(vec!["one", ""])),
        ("", false, Ok(vec![])),
        // The limit of bytes may fall within a time.
        ("2026-12-01T03:00:00Z one\n2026-12-", true, Ok(vec!["one"])),
        ("2026-12-01T03:00:00Z one\n2026-12-", false, Err("the node says: 2026-12-")),
        (
            "unable to retrieve container logs for containerd://0123",
            false,
            Err("the node says: unable to retrieve container logs for containerd://0123"),
        ),
        ("2026-12-01T03:00:00Z one\nfailed to read\n", true, Err("the node says: failed to read")),
    ] {
        let body = Bytes::from(body);
        let found = split(&body, is_cut);
        let texts =
            found.as_ref().map(|lines| lines.iter().map(|line| std::str::from_utf8(text(line)).unwrap()).collect());
        assert_eq!(texts.map_err(String::as_str), wanted, "{body:?}");
    }
}
