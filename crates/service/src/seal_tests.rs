use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const KEY_HEX: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn key() -> SealingKey {
    SealingKey::from_bytes(&std::array::from_fn(|i| u8::try_from(i).unwrap()))
}

fn other_key() -> SealingKey {
    SealingKey::from_bytes(&[7; KEY_BYTES])
}

fn write(folder: &TempDir, text: &str, mode: u32) -> PathBuf {
    let path = folder.path().join("secrets.key");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    path
}

/// What is stored today must open for ever.
#[test]
fn golden() {
    let secret = SecretString::from("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    let sealed = key().seal_with([0x40; NONCE_BYTES], "reg-1", &secret).unwrap();
    assert_eq!(sealed.key_id, "630dcd29");
    assert_eq!(hex::encode(&sealed.sealed), GOLDEN);
    assert_eq!(key().unseal("reg-1", &sealed).unwrap().expose_secret(), secret.expose_secret());
}
const GOLDEN: &str = "4040404040404040404040404040404040404040404040407460130c47c4aaadf1371d575a661d73641a8a3fa5eb24c3c291efdda6f7f50dc3a71d148e45c0cf2dc7e3eb0c49b739ac75055259ee";

#[test]
fn the_cipher_is_the_published_one() {
    // draft-irtf-cfrg-xchacha-03, A.3.1: the same key and nonce, and its additional data as the registration's id.
    let key = SealingKey::from_bytes(&std::array::from_fn(|i| 0x80 + u8::try_from(i).unwrap()));
    let nonce: [u8; NONCE_BYTES] = std::array::from_fn(|i| 0x40 + u8::try_from(i).unwrap());
    let text = "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
    let aad = hex::decode("50515253c0c1c2c3c4c5c6c7").unwrap();
    let sealed = key.cipher().encrypt(&XNonce::from(nonce), Payload { msg: text.as_bytes(), aad: &aad }).unwrap();
    assert_eq!(hex::encode(&sealed[..16]), "bd6d179d3e83d43b9576579493c0e939");
    assert_eq!(hex::encode(&sealed[sealed.len() - 16..]), "c0875924c1c7987947deafd8780acf49");
}

#[test]
fn each_sealing_differs() {
    let secret = SecretString::from("s");
    let (a, b) = (key().seal("r", &secret).unwrap(), key().seal("r", &secret).unwrap());
    assert_ne!(a.sealed, b.sealed);
}

proptest! {
    #[test]
    fn what_is_sealed_opens_and_nothing_else_does(
        id in ".{0,40}", other in ".{0,40}", secret in ".{0,100}", at in any::<prop::sample::Index>(), flip in 1u8..,
    ) {
        let sealed = key().seal(&id, &SecretString::from(secret.clone())).unwrap();
        let opened = key().unseal(&id, &sealed).unwrap();
        prop_assert_eq!(opened.expose_secret(), &secret);

        let mut changed = sealed.clone();
        let place = at.index(changed.sealed.len());
        changed.sealed[place] ^= flip;
        prop_assert!(matches!(key().unseal(&id, &changed), Err(UnsealError::Damaged { .. })), "changed");

        let mut cut = sealed.clone();
        cut.sealed.truncate(place);
        prop_assert!(matches!(key().unseal(&id, &cut), Err(UnsealError::Damaged { .. })), "cut");

        if other != id {
            prop_assert!(matches!(key().unseal(&other, &sealed), Err(UnsealError::Damaged { .. })), "moved");
        }
    }

    #[test]
    fn no_file_makes_it_panic(text in prop::collection::vec(any::<u8>(), 0..100)) {
        let decoded = decode(&text);
        prop_assert!(decoded.is_none() || text.len() == 64 || text.len() == 44);
    }
}

#[test]
fn a_wrong_key_names_both() {
    let sealed = key().seal("reg-1", &SecretString::from("s")).unwrap();
    let error = other_key().unseal("reg-1", &sealed).unwrap_err().to_string();
    assert!(error.contains("sealed with key 630dcd29"), "{error}");
    assert!(error.contains(&format!("holds key {}", other_key().id())), "{error}");
}

#[test]
fn hex_and_base64_are_the_same_key() {
    let folder = TempDir::new().unwrap();
    let base64 = STANDARD.encode(hex::decode(KEY_HEX).unwrap());
    for text in [KEY_HEX, &format!("{KEY_HEX}\n"), &KEY_HEX.to_uppercase(), &base64, &format!("{base64}\r\n")] {
        let path = write(&folder, text, 0o600);
        assert_eq!(SealingKey::from_file(&path).unwrap().id(), "630dcd29", "{text:?}");
    }
}

#[test]
fn what_is_no_key_is_refused_without_showing_it() {
    let folder = TempDir::new().unwrap();
    for text in ["", "hunter2", &KEY_HEX[..62], &format!("{KEY_HEX}00"), &STANDARD.encode([1; 33]), &"x".repeat(10_000)]
    {
        let path = write(&folder, text, 0o600);
        let error = SealingKey::from_file(&path).unwrap_err().to_string();
        assert!(error.contains("secrets.key holds no key") && error.contains("64 hex digits"), "{error}");
        assert!(text.is_empty() || !error.contains(text), "{error}");
    }
}

#[test]
fn a_key_that_others_may_use_is_refused() {
    let folder = TempDir::new().unwrap();
    for mode in [0o644, 0o604, 0o602, 0o666] {
        let path = write(&folder, KEY_HEX, mode);
        let error = SealingKey::from_file(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("mode {mode:04o}")), "{error}");
        assert!(error.ends_with(&format!("chmod o-rwx {}", path.display())), "{error}");
    }
    for mode in [0o400, 0o600, 0o440] {
        let path = write(&folder, KEY_HEX, mode);
        assert!(SealingKey::from_file(&path).is_ok(), "{mode:o}");
        fs::remove_file(path).unwrap();
    }
}

#[test]
fn a_new_file_is_private_and_never_replaces_one() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("new.key");
    let made = SealingKey::create_file(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(SealingKey::from_file(&path).unwrap().id(), made.id());

    let before = fs::read(&path).unwrap();
    let error = SealingKey::create_file(&path).unwrap_err().to_string();
    assert!(error.contains("new.key") && error.contains("exists"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = SealingKey::from_file("/nowhere/secrets.key").unwrap_err().to_string();
    assert!(error.contains("/nowhere/secrets.key") && error.contains("No such file"), "{error}");
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?}", key());
    assert!(shown.contains("630dcd29"));
    assert!(!shown.contains("0, 1, 2") && !shown.contains("000102"), "{shown}");
}
