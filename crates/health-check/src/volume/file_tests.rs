use super::*;

fn small() -> History {
    let mut history = History::default();
    for (hour, count) in [(490_000, 3), (490_001, 0), (490_002, 7)] {
        history.watch(hour);
        history.raise("shop", hour, count, 9);
        history.raise("", hour, count + 1, 9);
    }
    history.pause("shop", 490_002, 30.2);
    history
}

/// What version 0.1 wrote. A file like this has to be read for ever.
const WRITTEN: &str = r#"{"format":1,"history":{"watched":{"first":490000,"counts":[1,1,1]},"series":{"":{"hours":{"first":490000,"counts":[4,1,8]},"pauses":{}},"shop":{"hours":{"first":490000,"counts":[3,0,7]},"pauses":{"2916":31}}}}}"#;

#[test]
fn the_format_is_kept() {
    assert_eq!(String::from_utf8(encode(&small()).unwrap()).unwrap(), WRITTEN);
    assert_eq!(decode(WRITTEN.as_bytes()).unwrap(), small());
}

#[test]
fn it_comes_back_from_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume.json");
    assert_eq!(load(&path).unwrap(), History::default());
    save(&path, &encode(&History::default()).unwrap()).unwrap();
    save(&path, &encode(&small()).unwrap()).unwrap();
    assert_eq!(load(&path).unwrap(), small());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_cannot_be_read_is_put_aside() {
    let table = [
        ("half", &WRITTEN[..60], "no history"),
        ("other", r#"{"format":2,"counts":[]}"#, "format 2"),
        ("unknown", r#"{"format":1,"history":{"watched":{"first":0,"counts":[]},"series":{},"more":1}}"#, "no history"),
        (
            "far",
            r#"{"format":1,"history":{"watched":{"first":0,"counts":[]},"series":{"a":{"hours":{"first":-9223372036854775808,"counts":[1]},"pauses":{}}}}}"#,
            "cannot be",
        ),
    ];
    for (name, text, says) in table {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains(says), "{name}: {error}");
        assert!(path.with_added_extension("unreadable").exists() && !path.exists());
        // Another one takes its place from none.
        fs::write(&path, "{}").unwrap();
        load(&path).unwrap_err();
        assert_eq!(fs::read_to_string(path.with_added_extension("unreadable")).unwrap(), text);
        assert_eq!(fs::read_to_string(path.with_added_extension("unreadable.2")).unwrap(), "{}");
    }
}
