//! Signed deliveries of one size, made of what the traffic generator sends, so that they compress as real ones do.

use std::sync::Arc;

use anyhow::ensure;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use simulate::{Config, Endpoints, Generator, Mix};
use sources::signature::Algorithm;

/// The endpoint that they go to, its source, its tenant and its secret.
pub(crate) const ENDPOINT: &str = "bench";
pub(crate) const SOURCE: &str = "meta";
pub(crate) const TENANT: &str = "bench";
pub(crate) const SECRET: &str = "known-to-everybody";

/// Ids and texts are the same in every run.
pub(crate) const SEED: u64 = 1;
/// 2026-01-01, in milliseconds since 1970: when the first event of the generator happened.
pub(crate) const START_MS: i64 = 1_767_225_600_000;

const PADDING: &str = r#","padding":""#;

/// A body with the headers that Meta sends with it.
#[derive(Clone)]
pub(crate) struct Signed {
    pub(crate) body: Bytes,
    pub(crate) headers: HeaderMap,
}

/// `count` different bodies of exactly `bytes`.
pub(crate) fn signed(count: usize, bytes: usize) -> anyhow::Result<Vec<Signed>> {
    let config = Config::new(Arc::new(Endpoints::for_tests()), SEED, START_MS);
    let mix: Mix = "facebook=1".parse()?;
    let mut generator = Generator::new(Config { mix, mixed: 0.0, ..config })?;
    let mut bodies = Vec::with_capacity(count);
    while bodies.len() < count {
        let mut body = generator.next_delivery().body.to_vec();
        if body.len() + PADDING.len() + 2 > bytes {
            continue;
        }
        ensure!(body.pop() == Some(b'}'), "a body of the generator is not a JSON object");
        body.extend_from_slice(PADDING.as_bytes());
        while body.len() < bytes - 2 {
            let more = generator.next_delivery().body;
            let plain =
                more.iter().filter(|byte| byte.is_ascii() && !byte.is_ascii_control() && !b"\"\\".contains(byte));
            let room = bytes - 2 - body.len();
            body.extend(plain.take(room));
        }
        body.extend_from_slice(b"\"}");
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        headers.insert("user-agent", HeaderValue::from_static("facebookexternalua"));
        let digest = Algorithm::Sha256.hmac(SECRET.as_bytes(), &[&body]);
        headers.insert("x-hub-signature-256", HeaderValue::try_from(format!("sha256={}", hex::encode(digest)))?);
        bodies.push(Signed { body: body.into(), headers });
    }
    Ok(bodies)
}
