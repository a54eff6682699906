//! Yields deliveries, the same ones for the same configuration.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use http::{HeaderMap, HeaderValue, header};

use crate::catalogue::{SENDERS, index_of};
use crate::config::{Config, InvalidConfig};
use crate::delivery::{Delivery, Signature};
use crate::meaning::{Fate, Meaning};
use crate::platform::{DeliveryContent, Moment, Sender, World};
use crate::world::Counter;
use crate::{REMEMBERED, broken, push_bounded};

/// An endless iterator over deliveries. What it yields depends on its configuration and on nothing else.
#[derive(Debug)]
pub struct Generator {
    config: Config,
    rng: Rng,
    number: u64,
    counter: Counter,
    /// Of each sender, in their order.
    worlds: Vec<Box<dyn World>>,
    deliveries: VecDeque<Delivery>,
}

impl Generator {
    /// A generator from its beginning.
    ///
    /// # Errors
    /// When a field of the configuration cannot be.
    pub fn new(config: Config) -> Result<Self, InvalidConfig> {
        config.validate()?;
        let of_worlds = config.world();
        Ok(Self {
            rng: Rng::with_seed(config.seed),
            number: 0,
            counter: Counter::from(config.first_number),
            worlds: SENDERS.iter().map(|sender| (sender.world)(&of_worlds)).collect(),
            deliveries: VecDeque::new(),
            config,
        })
    }

    /// The configuration.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The next delivery.
    pub fn next_delivery(&mut self) -> Delivery {
        let kind = self.rng.f64();
        let mut delivery = if kind < self.config.redeliver && !self.deliveries.is_empty() {
            self.again()
        } else {
            let delivery = self.intact();
            if kind >= self.config.redeliver && kind < self.config.redeliver + self.config.broken {
                broken::spoil(delivery, &mut self.rng)
            } else {
                if self.config.redeliver > 0.0 {
                    push_bounded(&mut self.deliveries, delivery.clone(), REMEMBERED);
                }
                delivery
            }
        };
        delivery.number = self.number;
        self.number += 1;
        delivery
    }

    /// The simulation's clock.
    fn now_ms(&self) -> i64 {
        let passed = u128::from(self.number) * u128::from(self.config.step_us) / 1000;
        self.config.start_ms.saturating_add(i64::try_from(passed).unwrap_or(i64::MAX))
    }

    fn intact(&mut self) -> Delivery {
        let at = self.rng.u64(..self.config.mix.total());
        let platform = self.config.mix.at(at);
        let now_ms = self.now_ms();
        let mut moment = Moment { counter: &mut self.counter, rng: &mut self.rng, now_ms };
        let content = self.worlds[index_of(platform.sender)].next(platform.name, &mut moment);
        self.delivery(platform.sender, content, Fate::Events)
    }

    /// Something that was delivered before: the same body, or as its world tells it otherwise.
    fn again(&mut self) -> Delivery {
        let earlier = &self.deliveries[self.rng.usize(..self.deliveries.len())];
        let sender = earlier.sender;
        if let Some(content) = self.worlds[index_of(sender)].again(&mut self.rng) {
            return self.delivery(sender, content, Fate::Redelivery);
        }
        let mut delivery = earlier.clone();
        delivery.meaning.fate = Fate::Redelivery;
        delivery
    }

    fn delivery(&self, sender: &'static Sender, content: DeliveryContent, fate: Fate) -> Delivery {
        let DeliveryContent { headers: own, body, events } = content;
        let mut headers = HeaderMap::with_capacity(own.len() + 2);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::USER_AGENT, HeaderValue::from_static(sender.agent));
        headers.extend(own);
        Delivery {
            number: self.number,
            endpoint: Arc::clone(&self.config.endpoints.of(sender).name),
            sender,
            headers,
            body: Bytes::from(body),
            meaning: Meaning { events, fate },
            signature: Signature::Right,
        }
    }
}

impl Iterator for Generator {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        Some(self.next_delivery())
    }
}

#[cfg(test)]
#[path = "generator_tests.rs"]
mod tests;
