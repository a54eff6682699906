use std::fs;
use std::io::Write as _;

use common::health::v1::State;
use proptest::prelude::*;

use super::*;
use crate::probes::pattern::Pattern;

const WITHIN: Duration = Duration::from_secs(60);
/// Longer than any of these reads takes.
const LONG: Duration = Duration::from_secs(600);

struct Tried {
    folder: tempfile::TempDir,
    log: Log,
    now: Instant,
}

impl Tried {
    /// Of a file that is empty, or of a folder; both already looked at once.
    fn new(must: Option<&str>, must_not: Option<&str>, is_folder: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pattern = |text: &str| Pattern::new(text).unwrap();
        let settings = LogSettings {
            file: (!is_folder).then(|| folder.path().join("a.log")),
            folder: is_folder.then(|| folder.path().to_owned()),
            must: must.map(pattern),
            must_not: must_not.map(pattern),
            ..LogSettings::default()
        };
        let mut tried = Self { folder, log: Log::new(settings, WITHIN), now: Instant::now() };
        tried.write("a.log", b"");
        tried.look(0);
        tried
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        let path = self.folder.path().join(name);
        fs::OpenOptions::new().create(true).append(true).open(path).unwrap().write_all(bytes).unwrap();
    }

    fn rename(&self, to: &str) {
        fs::rename(self.folder.path().join("a.log"), self.folder.path().join(to)).unwrap();
    }

    /// So many seconds later.
    fn look(&mut self, later: u64) -> (State, String) {
        self.look_for(later, LONG)
    }

    /// One that may take so long.
    fn look_for(&mut self, later: u64, takes: Duration) -> (State, String) {
        self.now += Duration::from_secs(later);
        let Found { state, message, .. } = self.log.look(self.now, takes);
        (state, message)
    }
}

#[test]
fn a_line_that_must_come_comes_again_and_again() {
    let mut tried = Tried::new(Some("^backup (done|skipped)$"), None, false);
    let yet = r#""^backup (done|skipped)$" not seen yet since health-check began to watch, 30s ago; fails after 60s"#;
    assert_eq!(tried.look(30), (State::Warning, yet.to_owned()), "it has a minute");
    tried.write("a.log", b"backup begun\nbackup ");
    assert_eq!(tried.look(20).0, State::Warning, "no whole line");
    tried.write("a.log", b"done\r\n");
    assert_eq!(tried.look(5), (State::Ok, "as it must be: backup done".to_owned()));
    assert_eq!(tried.look(59).0, State::Ok);
    let none = r#""^backup (done|skipped)$" is in no line of the last 60s"#;
    assert_eq!(tried.look(1), (State::Failing, none.to_owned()));
}

#[test]
fn a_line_that_must_not_come_fails_for_as_long_as_it_is_recent() {
    let mut tried = Tried::new(None, Some("(?i)error"), false);
    assert_eq!(tried.look(1), (State::Ok, "as it must be".to_owned()));
    // Also what is no UTF-8, and what is longer than a line is.
    tried.write("a.log", b"fine\nERROR \xff\n");
    tried.write("a.log", &[vec![b'x'; LONGEST + 10], b" error\nan error\n".to_vec()].concat());
    let found = r#""(?i)error" is in 2 lines of the last 60s, last: an error"#;
    assert_eq!(tried.look(1), (State::Failing, found.to_owned()));
    assert_eq!(tried.look(59).0, State::Failing);
    assert_eq!(tried.look(1).0, State::Ok);
}

#[test]
fn what_is_not_there_is_a_failure() {
    let mut tried = Tried::new(None, Some("x"), false);
    tried.rename("gone");
    let (state, message) = tried.look(1);
    assert!(state == State::Failing && message.contains("a.log: "), "{message}");
    let mut tried = Tried::new(None, Some("x"), true);
    tried.rename("gone");
    let (state, message) = tried.look(1);
    assert!(state == State::Failing && message.starts_with("there is no file *.log in "), "{message}");
}

#[test]
fn a_line_that_never_came_fails_once_it_had_its_time() {
    let mut tried = Tried::new(Some("done"), None, false);
    assert_eq!(tried.look(59).0, State::Warning);
    assert_eq!(tried.look(1), (State::Failing, r#""done" is in no line of the last 60s"#.to_owned()));
}

#[test]
fn more_than_fits_in_memory_is_read_in_one_look_if_it_has_the_time() {
    let line = [vec![b'x'; 1023], vec![b'\n']].concat();
    let much = [line.repeat(9 * 1024), b"the end\n".to_vec()].concat();
    let mut tried = Tried::new(Some("the end"), Some("never"), false);
    tried.write("a.log", &much);
    assert_eq!(tried.look(61).0, State::Ok);
    // Without time it reads a part.
    tried.write("a.log", &much);
    let (state, message) = tried.look_for(61, Duration::ZERO);
    assert!(state == State::Unknown && message.starts_with("5242888 bytes are not read after 0ns"), "{message}");
    assert_eq!(tried.look_for(1, Duration::ZERO).0, State::Unknown);
    assert_eq!(tried.look_for(1, Duration::ZERO).0, State::Ok);
}

/// Of many files each has its part of a look, whichever is the first.
#[test]
fn a_file_that_is_written_fast_does_not_hide_others() {
    let mut tried = Tried::new(None, Some("bad"), true);
    for n in 0..8 {
        tried.write(&format!("{n}.log"), &[vec![b'x'; 8 * 1024 * 1024], b"\n".to_vec()].concat());
    }
    tried.write("8.log", b"bad\n");
    assert_eq!(tried.look_for(1, Duration::ZERO).0, State::Failing);
}

#[test]
fn what_ends_while_a_folder_is_read_is_no_failure() {
    let mut tried = Tried::new(None, Some("bad"), true);
    std::os::unix::fs::symlink(tried.folder.path().join("nothing"), tried.folder.path().join("old.log")).unwrap();
    assert_eq!(tried.look(1).0, State::Ok);
    tried.write("nothing", b"bad\n");
    assert_eq!(tried.look(1).0, State::Failing, "now the link leads somewhere");
    // A file of its own that is not there is one.
    let mut tried = Tried::new(None, Some("bad"), false);
    tried.rename("gone");
    assert_eq!(tried.look(1).0, State::Failing);
}

#[test]
fn what_is_gone_is_read_to_its_end_and_let_go_of() {
    for is_folder in [false, true] {
        let mut tried = Tried::new(None, Some("bad"), is_folder);
        tried.write("a.log", b"bad\n");
        fs::remove_file(tried.folder.path().join("a.log")).unwrap();
        assert_eq!(tried.look(1).0, State::Failing, "its name is gone");
        assert!(tried.log.files.is_empty(), "{:?}", tried.log.files);
        tried.write("a.log", b"");
        let (state, message) = tried.look(1);
        assert!(state == State::Failing && message.contains("last: bad"), "{message}");
        // Also beside one that is never read to its end.
        tried.write("a.log", &vec![b'x'; 5 * 1024 * 1024]);
        tried.look_for(1, Duration::ZERO);
        tried.rename("old");
        tried.write("a.log", &vec![b'x'; 16 * 1024 * 1024]);
        tried.look_for(1, Duration::ZERO);
        assert_eq!((tried.look_for(1, Duration::ZERO).0, tried.log.files.len()), (State::Failing, 1));
    }
}

#[test]
fn containers_have_their_runtimes_words_before_each_line() {
    let mut tried = Tried::new(Some("^ready$"), Some("stderr"), true);
    tried.write("0.log", b"2026-01-02T03:04:05.678901234Z stderr F ready\n");
    assert_eq!(tried.look(1), (State::Ok, "as it must be: ready".to_owned()));
    for (line, text) in [
        ("2026-01-02T03:04:05Z stdout P part of a", "part of a"),
        ("2026-01-02T03:04:05Z stdout F ", ""),
        ("2026-01-02T03:04:05Z stdin F a", "2026-01-02T03:04:05Z stdin F a"),
        ("stdout F a", "stdout F a"),
        ("", ""),
    ] {
        assert_eq!(without_prefix(line.as_bytes()), text.as_bytes(), "{line}");
    }
}

#[derive(Clone, Debug)]
enum Does {
    Write(Vec<bool>),
    /// Without the end of its line.
    Begins,
    /// Once between two looks: a file that nobody has seen is nowhere.
    Rotates,
    /// After a look: what nobody has read is gone.
    Empties,
    Looks(u64),
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        3 => prop::collection::vec(any::<bool>(), 0..5).prop_map(Does::Write),
        1 => Just(Does::Begins),
        1 => Just(Does::Rotates),
        1 => Just(Does::Empties),
        3 => (0..40_u64).prop_map(Does::Looks),
    ]
}

proptest! {
    /// Beside all lines that were ever written, each with the time of the look after it.
    #[test]
    fn it_finds_what_a_slow_reader_finds(all in prop::collection::vec(does(), 1..40)) {
        let mut tried = Tried::new(None, Some("bad"), false);
        // Whether each is bad, and when it was read; not yet: none.
        let mut lines: Vec<(bool, Option<u64>)> = Vec::new();
        let (mut second, mut rotated, mut files, mut begun) = (0, false, 0, false);
        for one in all.into_iter().chain([Does::Looks(1)]) {
            match one {
                Does::Write(written) => for bad in written {
                    tried.write("a.log", if bad { b"a bad line\n" } else { b"a good line\n" });
                    // What had begun ends with it.
                    let ends_bad = std::mem::take(&mut begun);
                    lines.push((bad || ends_bad, None));
                },
                Does::Begins if !begun => {
                    tried.write("a.log", b"bad: ");
                    begun = true;
                }
                Does::Rotates if !rotated && !begun => {
                    files += 1;
                    tried.rename(&format!("a.log.{files}"));
                    tried.write("a.log", b"");
                    rotated = true;
                }
                Does::Empties if !rotated && lines.iter().all(|(_, read)| read.is_some()) => {
                    fs::File::create(tried.folder.path().join("a.log")).unwrap();
                    tried.look(0);
                    begun = false;
                }
                Does::Begins | Does::Rotates | Does::Empties => {}
                Does::Looks(later) => {
                    second += later;
                    rotated = false;
                    lines.iter_mut().for_each(|(_, read)| *read = read.or(Some(second)));
                    let bad = lines.iter().filter(|(bad, read)| *bad && second - read.unwrap() < 60).count();
                    let (state, message) = tried.look(later);
                    prop_assert_eq!(state, if bad == 0 { State::Ok } else { State::Failing });
                    prop_assert!(bad == 0 || message.contains(&format!(" {bad} lines ")), "{bad}: {message}");
                }
            }
        }
    }
}
