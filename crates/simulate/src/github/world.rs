//! Many repositories, and how GitHub tells of them.

use std::sync::Arc;

use super::{GitHubScene, Repository, delivery_id};
use crate::platform::{DeliveryContent, Moment, Sender, World, WorldConfig};
use crate::signing::{Scheme, SecretForm};
use crate::world::{TENANTS, Zipf};

pub(crate) static SENDER: Sender = Sender {
    source: "github",
    endpoint: "sim-github",
    tenant: TENANTS[1],
    retries: false,
    scheme: Scheme::Hub,
    handshake: false,
    secret: SecretForm::Hex(32),
    agent: "GitHub-Hookshot/sim",
    world: |config| Box::new(GitHub::new(config)),
    accounts: |_| Vec::new(),
};

#[derive(Debug)]
struct GitHub {
    seed: u64,
    popularity: Zipf,
    repositories: Vec<Repository>,
}

impl GitHub {
    fn new(config: &WorldConfig) -> Self {
        let tenant: Arc<str> = SENDER.tenant.into();
        Self {
            seed: config.seed,
            popularity: Zipf::new(config.repositories, config.skew),
            repositories: (0..config.repositories).map(|index| Repository::new(index, tenant.clone())).collect(),
        }
    }
}

impl World for GitHub {
    fn next(&mut self, _platform: &'static str, at: &mut Moment<'_>) -> DeliveryContent {
        let repository = &mut self.repositories[self.popularity.pick(at.rng) as usize];
        let scene = GitHubScene { repository, counter: &mut *at.counter, rng: &mut *at.rng, now_ms: at.now_ms };
        let event = scene.event();
        let mut content =
            DeliveryContent { body: event.json, events: vec![event.expected], ..DeliveryContent::default() };
        content.header("x-github-event", event.kind);
        content.header("x-github-delivery", delivery_id(at.counter.next(), self.seed));
        content
    }
}
