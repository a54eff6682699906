//! The deliveries of a Meta app: things of many pages, of Facebook and of Instagram, in one batch.

use std::collections::VecDeque;

use fastrand::Rng;

use crate::facebook::Scene;
use crate::item::{Object, Posted, body};
use crate::platform::{DeliveryContent, Moment, Sender, World, WorldConfig};
use crate::signing::{Scheme, SecretForm};
use crate::world::{Account, Page, Pages, TENANTS, Zipf};
use crate::{REMEMBERED, push_bounded};

pub(crate) const FACEBOOK: &str = "facebook";
pub(crate) const INSTAGRAM: &str = "instagram";

/// The most pages in one batch.
const MOST_PAGES: usize = 20;

pub(crate) static SENDER: Sender = Sender {
    source: "meta",
    endpoint: "sim-meta",
    tenant: TENANTS[0],
    retries: true,
    scheme: Scheme::Hub,
    handshake: true,
    secret: SecretForm::Hex(16),
    agent: "facebookexternalua",
    world: |config| Box::new(Meta::new(config)),
    accounts: |index| {
        let Page { id, instagram, tenant, .. } = Pages::page(index);
        [id, instagram].map(|account| (account, tenant.clone())).to_vec()
    },
};

#[derive(Debug)]
struct Meta {
    popularity: Zipf,
    accounts: Vec<Account>,
    /// Share of the batches that mix pages of two tenants.
    mixed: f64,
    /// Adds up that share: one is due whenever it reaches 1.
    mixed_due: f64,
    remembers: bool,
    items: VecDeque<Posted>,
}

impl Meta {
    fn new(config: &WorldConfig) -> Self {
        Self {
            popularity: Zipf::new(config.pages, config.skew),
            accounts: (0..config.pages).map(Account::new).collect(),
            mixed: config.mixed,
            mixed_due: 0.0,
            remembers: config.remembers,
            items: VecDeque::new(),
        }
    }

    /// 2 to 20 pages, of both tenants. Most batches are small.
    fn mixed_pages(&self, rng: &mut Rng) -> Vec<u32> {
        let pages = self.accounts.len() as u32;
        let most = MOST_PAGES.min(self.accounts.len());
        let mut wanted = 2;
        while wanted < most && rng.u32(..100) < 60 {
            wanted += 1;
        }
        let first = self.popularity.pick(rng);
        // Neighbours belong to different tenants; with an odd number of pages the last has one only below it.
        let other = if (first ^ 1) < pages { first ^ 1 } else { first - 1 };
        let mut picked = vec![first, other];
        while picked.len() < wanted {
            let mut page = self.popularity.pick(rng);
            // The most popular are soon taken: then it is the next one's turn.
            while picked.contains(&page) {
                page = (page + 1) % pages;
            }
            picked.push(page);
        }
        rng.shuffle(&mut picked);
        picked
    }
}

impl World for Meta {
    fn next(&mut self, platform: &'static str, at: &mut Moment<'_>) -> DeliveryContent {
        let object = if platform == INSTAGRAM { Object::Instagram } else { Object::Page };
        self.mixed_due += self.mixed;
        let pages = if self.mixed_due >= 1.0 {
            self.mixed_due -= 1.0;
            self.mixed_pages(at.rng)
        } else {
            vec![self.popularity.pick(at.rng)]
        };
        let mut posted = Vec::with_capacity(pages.len() * 2);
        let private = object == Object::Page && at.rng.u32(..100) < 18;
        for page in pages {
            let items = match at.rng.u32(..10) {
                0..7 => 1,
                7..9 => 2,
                _ => 3 + at.rng.usize(..4),
            };
            let account = &mut self.accounts[page as usize];
            let id = if object == Object::Page { account.page.id.clone() } else { account.page.instagram.clone() };
            let mut scene = Scene { account, counter: &mut *at.counter, rng: &mut *at.rng, now_ms: at.now_ms };
            for _ in 0..items {
                let item = match object {
                    Object::Instagram => scene.instagram(),
                    Object::Page if private => scene.messenger(),
                    Object::Page => scene.feed(),
                };
                posted.push(Posted { object, account: id.clone(), item });
            }
        }
        if self.remembers {
            for item in &posted {
                push_bounded(&mut self.items, item.clone(), REMEMBERED);
            }
        }
        batch(object, &posted)
    }

    /// Half of what comes again comes in other batches, with another time of sending.
    fn again(&mut self, rng: &mut Rng) -> Option<DeliveryContent> {
        if rng.bool() || self.items.is_empty() {
            return None;
        }
        let start = rng.usize(..self.items.len());
        let step = 1 + rng.usize(..7);
        let wanted = 1 + rng.usize(..12);
        let object = self.items[start].object;
        let late = rng.i64(1..3600);
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
        Some(batch(object, &posted))
    }
}

fn batch(object: Object, posted: &[Posted]) -> DeliveryContent {
    let events = posted.iter().map(|posted| posted.item.expected.clone()).collect();
    DeliveryContent { body: body(object, posted), events, ..DeliveryContent::default() }
}
