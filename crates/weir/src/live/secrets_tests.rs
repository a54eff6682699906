use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn secrets_are_made_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("new/simulation.toml");
    assert!(load(&file).unwrap().is_none());
    let made = load_or_create(&file).unwrap();
    assert_eq!(load_or_create(&file).unwrap().to_toml(), made.to_toml());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn another_file_is_not_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("simulation.toml");
    fs::write(&file, "something = 1").unwrap();
    assert!(format!("{:#}", load_or_create(&file).unwrap_err()).contains("move it away"));
    assert_eq!(fs::read_to_string(&file).unwrap(), "something = 1");
}
