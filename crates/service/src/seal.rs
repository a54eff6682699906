//! Secrets that are stored: XChaCha20-Poly1305 under a key that stands in a file.
//!
//! The id of the registration is authenticated with the secret, so that a sealed secret cannot be moved to another
//! registration. The id of the key stands beside it, so that a wrong key is told from a damaged secret.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use common::registration::v1::SealedSecret;
use secrecy::zeroize::{Zeroize as _, Zeroizing};
use secrecy::{ExposeSecret as _, SecretBox, SecretString};
use sha2::{Digest as _, Sha256};

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
/// A key file holds 64 characters; what is far larger is another file.
const MAX_FILE_BYTES: u64 = 4096;
/// Any right of those who are neither owner nor group. The group may read: that is how a cluster gives secrets to
/// processes that are not root.
const OTHERS: u32 = 0o007;

/// A key file that cannot be used or made. Every message names the file.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is not there, or may not be read.
    #[error("cannot read the key file {}: {source}; make a new key with: (umask 077; openssl rand -hex 32 > {})", path.display(), path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Others may read or write it.
    #[error(
        "other users can access the key file {} (mode {mode:04o}): run chmod o-rwx {}",
        path.display(), path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It holds something else.
    #[error("the key file {} holds no key: it must be 32 bytes as 64 hex digits or as base64, and nothing else", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
    },
    /// There is such a file already, or it cannot be written.
    #[error("cannot make the key file {}: {source}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The system gave no random bytes.
    #[error("cannot make a key: the system gave no random bytes: {0}")]
    Random(getrandom::Error),
}

/// A secret that could not be sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The system gave no random bytes.
    #[error("cannot seal a secret of registration {registration_id}: the system gave no random bytes: {source}")]
    Random {
        /// Whose secret it is.
        registration_id: String,
        /// Why.
        source: getrandom::Error,
    },
    /// It is larger than the cipher can take.
    #[error("cannot seal a secret of registration {registration_id}: it is too large")]
    TooLarge {
        /// Whose secret it is.
        registration_id: String,
    },
}

/// A sealed secret that could not be opened.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum UnsealError {
    /// Another key sealed it.
    #[error(
        "a secret of registration {registration_id} was sealed with key {needed}, but secrets.key_file holds key {have}: \
         give this service the key file with {needed}, or set the secret again"
    )]
    WrongKey {
        /// Whose secret it is.
        registration_id: String,
        /// The id of the key that sealed it.
        needed: String,
        /// The id of the key that is there.
        have: String,
    },
    /// It was changed, cut, or belongs to another registration.
    #[error(
        "a secret of registration {registration_id} cannot be opened with key {key_id}, although that key sealed it: it was \
         changed, or belongs to another registration; set it again"
    )]
    Damaged {
        /// Whose secret it is.
        registration_id: String,
        /// The id of the key.
        key_id: String,
    },
}

/// The key that seals stored secrets. `Debug` shows its id only.
pub struct SealingKey {
    key: SecretBox<[u8; KEY_BYTES]>,
    id: String,
}

impl std::fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealingKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl SealingKey {
    /// Reads a key file: 32 bytes as 64 hex digits or as base64, with or without a line break at the end.
    ///
    /// # Errors
    /// When it is not there, holds no key, or others than its owner and group may use it.
    pub fn from_file(path: impl AsRef<Path>) -> Result<SealingKey, KeyError> {
        let path = path.as_ref();
        let read = |source| KeyError::Read { path: path.to_owned(), source };
        let file = File::open(path).map_err(read)?;
        // Of the open file, so that it is the one that is read.
        let mode = file.metadata().map_err(read)?.permissions().mode() & 0o7777;
        if mode & OTHERS != 0 {
            return Err(KeyError::Exposed { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(Vec::new());
        file.take(MAX_FILE_BYTES).read_to_end(&mut text).map_err(read)?;
        let bytes = decode(text.trim_ascii()).ok_or_else(|| KeyError::NoKey { path: path.to_owned() })?;
        Ok(SealingKey::from_bytes(&bytes))
    }

    /// Makes a key and writes it, as hex, to a new file that only its owner may use. Never overwrites.
    ///
    /// # Errors
    /// When there is such a file, or it cannot be written.
    pub fn create_file(path: impl AsRef<Path>) -> Result<SealingKey, KeyError> {
        let path = path.as_ref();
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        getrandom::fill(bytes.as_mut_slice()).map_err(KeyError::Random)?;
        let text = Zeroizing::new(hex::encode(bytes.as_slice()) + "\n");
        let write = |source| KeyError::Write { path: path.to_owned(), source };
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(write)?;
        file.write_all(text.as_bytes()).map_err(write)?;
        // What this key seals outlives a power cut; so must the key, and its name in the folder.
        file.sync_all().map_err(write)?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(write)?;
        Ok(SealingKey::from_bytes(&bytes))
    }

    fn from_bytes(bytes: &[u8; KEY_BYTES]) -> SealingKey {
        let id = hex::encode(&Sha256::digest(bytes)[..4]);
        SealingKey { key: SecretBox::init_with_mut(|key: &mut [u8; KEY_BYTES]| *key = *bytes), id }
    }

    /// The first 8 hex digits of the key's SHA-256.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Seals a secret for one registration. `expires_at` of the result is for the caller to set.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn seal(&self, registration_id: &str, secret: &SecretString) -> Result<SealedSecret, SealError> {
        let mut nonce = [0; NONCE_BYTES];
        getrandom::fill(&mut nonce)
            .map_err(|source| SealError::Random { registration_id: registration_id.to_owned(), source })?;
        self.seal_with(nonce, registration_id, secret)
    }

    fn seal_with(
        &self,
        nonce: [u8; NONCE_BYTES],
        registration_id: &str,
        secret: &SecretString,
    ) -> Result<SealedSecret, SealError> {
        let payload = Payload { msg: secret.expose_secret().as_bytes(), aad: registration_id.as_bytes() };
        let ciphertext = self
            .cipher()
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SealError::TooLarge { registration_id: registration_id.to_owned() })?;
        Ok(SealedSecret { sealed: [&nonce, ciphertext.as_slice()].concat(), key_id: self.id.clone(), expires_at: None })
    }

    /// Opens what was sealed for the same registration.
    ///
    /// # Errors
    /// When another key sealed it, or it was changed, or it belongs to another registration.
    pub fn unseal(&self, registration_id: &str, sealed: &SealedSecret) -> Result<SecretString, UnsealError> {
        if sealed.key_id != self.id {
            return Err(UnsealError::WrongKey {
                registration_id: registration_id.to_owned(),
                needed: sealed.key_id.clone(),
                have: self.id.clone(),
            });
        }
        let damaged = || UnsealError::Damaged { registration_id: registration_id.to_owned(), key_id: self.id.clone() };
        let (nonce, ciphertext) = sealed.sealed.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
        let payload = Payload { msg: ciphertext, aad: registration_id.as_bytes() };
        let bytes = self.cipher().decrypt(&XNonce::from(*nonce), payload).map_err(|_| damaged())?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(SecretString::from(text)),
            Err(error) => {
                error.into_bytes().zeroize();
                Err(damaged())
            }
        }
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(*self.key.expose_secret()))
    }
}

fn decode(text: &[u8]) -> Option<Zeroizing<[u8; KEY_BYTES]>> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    if hex::decode_to_slice(text, key.as_mut_slice()).is_ok() {
        return Some(key);
    }
    // One byte more than fits, so that what is too long is seen.
    let mut decoded = Zeroizing::new([0; KEY_BYTES + 1]);
    let length = STANDARD.decode_slice(text, decoded.as_mut_slice()).ok()?;
    if length != KEY_BYTES {
        return None;
    }
    key.copy_from_slice(&decoded[..KEY_BYTES]);
    Some(key)
}

#[cfg(test)]
#[path = "seal_tests.rs"]
mod tests;
