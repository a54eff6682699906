//! Yields deliveries, the same ones for the same configuration.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use fastrand::Rng;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::broken;
use crate::config::{Config, Invalid};
use crate::delivery::{Delivery, Sender, Signature};
use crate::facebook::Scene;
use crate::github::{GitHubScene, Repository, delivery_id};
use crate::item::{Object, Posted, body};
use crate::meaning::{Fate, Meaning};
use crate::standard;
use crate::world::{Account, Counter, Zipf};

/// The most pages in one batch.
const MOST_PAGES: usize = 20;
/// How many deliveries, and how many of their items, may come again.
const REMEMBERED: usize = 512;

/// An endless iterator over deliveries. What it yields depends on its configuration and on nothing else.
#[derive(Debug)]
pub struct Generator {
    config: Config,
    rng: Rng,
    number: u64,
    counter: Counter,
    popularity: Zipf,
    accounts: Vec<Account>,
    repository_popularity: Zipf,
    repositories: Vec<Repository>,
    /// Adds up the share of mixed batches: one is due whenever it reaches 1.
    mixed_due: f64,
    deliveries: VecDeque<Delivery>,
    items: VecDeque<Posted>,
    agents: Agents,
}

/// Header values that many deliveries share.
#[derive(Debug)]
struct Agents {
    json: HeaderValue,
    meta: HeaderValue,
    github: HeaderValue,
    standard: HeaderValue,
}

impl Generator {
    /// A generator from its beginning.
    pub fn new(config: Config) -> Result<Self, Invalid> {
        config.validate()?;
        Ok(Self {
            rng: Rng::with_seed(config.seed),
            number: 0,
            counter: Counter::from(config.first_number),
            popularity: Zipf::new(config.pages, config.skew),
            accounts: (0..config.pages).map(Account::new).collect(),
            repository_popularity: Zipf::new(config.repositories, config.skew),
            repositories: (0..config.repositories)
                .map(|index| Repository::new(index, config.endpoints.github.tenant.clone()))
                .collect(),
            mixed_due: 0.0,
            deliveries: VecDeque::new(),
            items: VecDeque::new(),
            agents: Agents {
                json: HeaderValue::from_static("application/json"),
                meta: HeaderValue::from_static("facebookexternalua"),
                github: HeaderValue::from_static("GitHub-Hookshot/sim"),
                standard: HeaderValue::from_static("weir-simulate"),
            },
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
                self.remember(&delivery);
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
        let mix = self.config.mix;
        let mut at = self.rng.u64(..mix.total());
        for (share, generate) in [
            (mix.facebook, (|this| this.meta(Object::Page)) as fn(&mut Self) -> Delivery),
            (mix.instagram, |this| this.meta(Object::Instagram)),
            (mix.github, Self::github),
        ] {
            match at.checked_sub(u64::from(share)) {
                None => return generate(self),
                Some(rest) => at = rest,
            }
        }
        self.standard()
    }

    fn meta(&mut self, object: Object) -> Delivery {
        self.mixed_due += self.config.mixed;
        let pages = if self.mixed_due >= 1.0 {
            self.mixed_due -= 1.0;
            self.mixed_pages()
        } else {
            vec![self.popularity.pick(&mut self.rng)]
        };
        let mut posted = Vec::with_capacity(pages.len() * 2);
        let now_ms = self.now_ms();
        let private = object == Object::Page && self.rng.u32(..100) < 18;
        for page in pages {
            let items = match self.rng.u32(..10) {
                0..7 => 1,
                7..9 => 2,
                _ => 3 + self.rng.usize(..4),
            };
            let account = &mut self.accounts[page as usize];
            let id = if object == Object::Page { account.page.id.clone() } else { account.page.instagram.clone() };
            let mut scene = Scene { account, counter: &mut self.counter, rng: &mut self.rng, now_ms };
            for _ in 0..items {
                let item = match object {
                    Object::Instagram => scene.instagram(),
                    Object::Page if private => scene.messenger(),
                    Object::Page => scene.feed(),
                };
                posted.push(Posted { object, account: id.clone(), item });
            }
        }
        if self.config.redeliver > 0.0 {
            for item in &posted {
                push_bounded(&mut self.items, item.clone());
            }
        }
        self.batch(object, &posted, Fate::Events)
    }

    /// 2 to 20 pages, of both tenants. Most batches are small.
    fn mixed_pages(&mut self) -> Vec<u32> {
        let most = MOST_PAGES.min(self.accounts.len());
        let mut wanted = 2;
        while wanted < most && self.rng.u32(..100) < 60 {
            wanted += 1;
        }
        let first = self.popularity.pick(&mut self.rng);
        // Neighbours belong to different tenants; with an odd number of pages the last has one only below it.
        let other = if (first ^ 1) < self.config.pages { first ^ 1 } else { first - 1 };
        let mut pages = vec![first, other];
        while pages.len() < wanted {
            let mut page = self.popularity.pick(&mut self.rng);
            // The most popular are soon taken: then it is the next one's turn.
            while pages.contains(&page) {
                page = (page + 1) % self.config.pages;
            }
            pages.push(page);
        }
        self.rng.shuffle(&mut pages);
        pages
    }

    fn batch(&self, object: Object, posted: &[Posted], fate: Fate) -> Delivery {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(header::CONTENT_TYPE, self.agents.json.clone());
        headers.insert(header::USER_AGENT, self.agents.meta.clone());
        let events = posted.iter().map(|posted| posted.item.expected.clone()).collect();
        self.delivery(Sender::Meta, headers, body(object, posted), Meaning { events, fate })
    }

    fn github(&mut self) -> Delivery {
        let now_ms = self.now_ms();
        let repository = self.repository_popularity.pick(&mut self.rng);
        let repository = &mut self.repositories[repository as usize];
        let event = GitHubScene { repository, counter: &mut self.counter, rng: &mut self.rng, now_ms }.event();
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(header::CONTENT_TYPE, self.agents.json.clone());
        headers.insert(header::USER_AGENT, self.agents.github.clone());
        headers.insert(HeaderName::from_static("x-github-event"), HeaderValue::from_static(event.kind));
        let id = delivery_id(self.counter.next(), self.config.seed);
        if let Ok(id) = HeaderValue::try_from(id) {
            headers.insert(HeaderName::from_static("x-github-delivery"), id);
        }
        let meaning = Meaning { events: vec![event.expected], fate: Fate::Events };
        self.delivery(Sender::GitHub, headers, event.json, meaning)
    }

    fn standard(&mut self) -> Delivery {
        let now_ms = self.now_ms();
        let tenant = &self.config.endpoints.standard.tenant;
        let message = standard::message(tenant, &mut self.counter, &mut self.rng, self.config.seed, now_ms);
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(header::CONTENT_TYPE, self.agents.json.clone());
        headers.insert(header::USER_AGENT, self.agents.standard.clone());
        if let Ok(id) = HeaderValue::try_from(message.id) {
            headers.insert(HeaderName::from_static("webhook-id"), id);
        }
        let meaning = Meaning { events: vec![message.expected], fate: Fate::Events };
        self.delivery(Sender::StandardWebhooks, headers, message.json, meaning)
    }

    fn delivery(&self, sender: Sender, headers: HeaderMap, body: String, meaning: Meaning) -> Delivery {
        let endpoints = &self.config.endpoints;
        let endpoint = match sender {
            Sender::Meta => &endpoints.meta,
            Sender::GitHub => &endpoints.github,
            Sender::StandardWebhooks => &endpoints.standard,
        };
        Delivery {
            number: self.number,
            endpoint: Arc::clone(&endpoint.name),
            sender,
            headers,
            body: Bytes::from(body),
            meaning,
            signature: Signature::Right,
        }
    }

    fn remember(&mut self, delivery: &Delivery) {
        if self.config.redeliver > 0.0 {
            push_bounded(&mut self.deliveries, delivery.clone());
        }
    }

    /// Something that was delivered before: the same body, or its items in another batch.
    fn again(&mut self) -> Delivery {
        let earlier = &self.deliveries[self.rng.usize(..self.deliveries.len())];
        if earlier.sender != Sender::Meta || self.rng.bool() || self.items.is_empty() {
            let mut delivery = earlier.clone();
            delivery.meaning.fate = Fate::Redelivery;
            return delivery;
        }
        let start = self.rng.usize(..self.items.len());
        let step = 1 + self.rng.usize(..7);
        let wanted = 1 + self.rng.usize(..12);
        let object = self.items[start].object;
        let late = self.rng.i64(1..3600);
        let posted: Vec<Posted> = (start..self.items.len())
            .step_by(step)
            .map(|index| &self.items[index])
            .filter(|posted| posted.object == object)
            .take(wanted)
            .map(|posted| {
                let mut posted = posted.clone();
                if posted.item.has_time {
                    posted.item.entry_time += late;
                }
                posted
            })
            .collect();
        self.batch(object, &posted, Fate::Redelivery)
    }
}

impl Iterator for Generator {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        Some(self.next_delivery())
    }
}

fn push_bounded<T>(queue: &mut VecDeque<T>, item: T) {
    if queue.len() == REMEMBERED {
        queue.pop_front();
    }
    queue.push_back(item);
}

#[cfg(test)]
#[path = "generator_tests.rs"]
mod tests;
