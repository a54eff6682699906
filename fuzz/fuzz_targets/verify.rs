//! verify, ordering_key and handshake over any headers, body and query: nothing panics, and nobody gets
//! in without the secret.
#![no_main]

mod stable;

use http::{HeaderMap, HeaderValue};
use libfuzzer_sys::fuzz_target;
use secrecy::SecretString;
use sources::Secrets;

fuzz_target!(|input: (Vec<(u8, Vec<u8>)>, &[u8], &str)| {
    let names = || {
        let sources = sources::all().iter().map(|source| source.descriptor());
        sources.flat_map(|source| [source.signature].into_iter().chain(source.kept_headers.iter().copied()))
    };
    let (sent, body, query) = input;
    let mut headers = HeaderMap::new();
    for (name, value) in sent {
        if let (Some(name), Ok(value)) = (stable::chosen(name.into(), names()), HeaderValue::from_bytes(&value)) {
            headers.append(name, value);
        }
    }
    let active = [SecretString::from("a secret that the fuzzer does not guess")];
    let token = SecretString::from("nor this token");
    let secrets = Secrets { active: &active, verify_token: Some(&token) };
    for source in sources::all() {
        assert!(source.verify(&headers, body, &secrets, std::time::UNIX_EPOCH).is_err());
        let _ = source.ordering_key(&headers, body);
        let _ = source.handshake(query, &secrets);
    }
});
