//! Deliveries that are made and signed before anything is measured, so that sending one costs little more than a write.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use anyhow::Context as _;
use fastrand::Rng;
use simulate::{Config, Endpoints, Generator, Mix, Signer};

use crate::system::{PAGES, lock};

/// The largest body.
const LARGEST: usize = 8192;
const PADDING: &str = r#","padding":""#;

/// A whole request as it goes over the wire, and the events that it means.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) request: Vec<u8>,
    pub(crate) body_bytes: usize,
    /// Topic and key, as `simulate::key::natural_key` finds them in a typed event.
    pub(crate) events: Vec<(&'static str, String)>,
}

/// What is there to be sent. A delivery that was refused goes back and is sent again later, as platforms do.
#[derive(Debug)]
pub(crate) struct Stock {
    generator: Mutex<Generator>,
    signer: Signer,
    ready: Mutex<VecDeque<Arc<Prepared>>>,
}

impl Stock {
    pub(crate) fn new(endpoints: &Arc<Endpoints>) -> anyhow::Result<Self> {
        let now = service::clock::timestamp();
        let mut config = Config::new(endpoints.clone(), 7, now.seconds * 1000 - 3_600_000).numbered_by_start();
        config.pages = PAGES;
        config.skew = 0.4;
        // Standard Webhooks sign the time at which they send: what is prepared would be too old.
        config.mix = Mix::default().without("standard");
        let generator = Mutex::new(Generator::new(config).context("the generator")?);
        Ok(Self { generator, signer: Signer::new(endpoints), ready: Mutex::default() })
    }

    /// Makes so many more. Takes some 0.1 ms each, and blocks.
    pub(crate) fn prepare(&self, count: usize) -> anyhow::Result<()> {
        let (mut generator, mut rng) = (lock(&self.generator), Rng::with_seed(count as u64));
        let mut made = Vec::with_capacity(count);
        while made.len() < count {
            let mut delivery = generator.next_delivery();
            // Half stay as they are, half are padded to anything up to the largest.
            let size = rng.usize(..2 * LARGEST);
            if delivery.body.len() > LARGEST {
                continue;
            }
            if size > delivery.body.len() + PADDING.len() + 2 && size <= LARGEST {
                delivery.body = padded(&delivery.body, size)?.into();
            }
            let headers = self.signer.headers(&delivery, service::clock::now());
            let mut request =
                format!("POST /webhooks/{} HTTP/1.1\r\nhost: weir.test\r\n", delivery.endpoint).into_bytes();
            for (name, value) in &headers {
                request.extend([name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
            }
            request.extend_from_slice(format!("content-length: {}\r\n\r\n", delivery.body.len()).as_bytes());
            request.extend_from_slice(&delivery.body);
            let events = delivery.meaning.events.iter().map(|event| (event.topic, event.key.clone())).collect();
            made.push(Arc::new(Prepared { request, body_bytes: delivery.body.len(), events }));
        }
        lock(&self.ready).extend(made);
        Ok(())
    }

    pub(crate) fn take(&self) -> Option<Arc<Prepared>> {
        lock(&self.ready).pop_front()
    }

    pub(crate) fn give_back(&self, prepared: Arc<Prepared>) {
        lock(&self.ready).push_back(prepared);
    }

    pub(crate) fn left(&self) -> usize {
        lock(&self.ready).len()
    }
}

/// The same object with one member more, so that it has exactly so many bytes.
fn padded(body: &[u8], size: usize) -> anyhow::Result<Vec<u8>> {
    let inside = body.strip_suffix(b"}").context("a body of the generator is not a JSON object")?;
    let mut padded = Vec::with_capacity(size);
    padded.extend_from_slice(inside);
    padded.extend_from_slice(PADDING.as_bytes());
    // It compresses about as well as text does.
    let plain = inside.iter().filter(|byte| byte.is_ascii_alphanumeric()).cycle();
    padded.extend(plain.take(size - 2 - padded.len()));
    padded.extend_from_slice(b"\"}");
    Ok(padded)
}
