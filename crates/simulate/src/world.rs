//! What exists in a simulation: tenants, pages with their conversations, and how popular they are.

use std::collections::VecDeque;
use std::sync::Arc;

use fastrand::Rng;

/// The tenants whose pages alternate. The Meta app belongs to the first.
pub(crate) const TENANTS: [&str; 2] = ["alder", "birch"];

/// How many things of one kind a page remembers, so that people can come back to them.
const MEMORY: usize = 24;

/// A page of Facebook and its Instagram account.
#[derive(Debug, Clone)]
pub(super) struct Page {
    /// Facebook's id of the page.
    pub id: Arc<str>,
    /// Instagram's id of the account.
    pub instagram: Arc<str>,
    /// The tenant of both.
    pub tenant: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// The pages by their index.
#[derive(Debug)]
pub(super) struct Pages;

impl Pages {
    /// The page of that index. Even ones belong to the first tenant, odd ones to the second.
    pub(super) fn page(index: u32) -> Page {
        let number = u64::from(index);
        Page {
            id: (104_000_000_000_000 + number * 7_919).to_string().into(),
            instagram: (17_841_400_000_000_000 + number * 6_151).to_string().into(),
            tenant: TENANTS[(index % 2) as usize].into(),
            name: format!("Shop {}", number + 1).into(),
        }
    }
}

/// Everything that is remembered of a page.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) page: Page,
    pub(super) posts: Memory<Post>,
    pub(super) comments: Memory<Comment>,
    pub(super) reactions: Memory<Reaction>,
    pub(super) messages: Memory<Message>,
    pub(super) media: Memory<u64>,
    pub(super) media_comments: Memory<(u64, u64)>,
}

/// A post of a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Post {
    pub(super) id: u64,
    /// Its item: status, photo, video, link, share.
    pub(super) item: &'static str,
    /// When it was made, in seconds.
    pub(super) created: i64,
    pub(super) edited: bool,
}

/// A comment on a post.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comment {
    pub(super) post: u64,
    pub(super) id: u64,
    pub(super) author: u64,
    /// The comment that it answers; 0: the post.
    pub(super) parent: u64,
    pub(super) edited: bool,
    pub(super) hidden: bool,
}

/// A reaction to a post or a comment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reaction {
    pub(super) post: u64,
    /// 0: it is to the post.
    pub(super) comment: u64,
    pub(super) author: u64,
    pub(super) kind: &'static str,
}

/// A private message to a page.
#[derive(Debug, Clone, Copy)]
pub(super) struct Message {
    pub(super) id: u64,
    pub(super) author: u64,
}

/// The last things of a kind.
#[derive(Debug)]
pub(super) struct Memory<T>(VecDeque<T>);

impl<T: Copy> Memory<T> {
    pub(super) fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn push(&mut self, item: T) {
        if self.0.len() == MEMORY {
            self.0.pop_front();
        }
        self.0.push_back(item);
    }

    /// One of them; the newer, the more likely.
    pub(super) fn pick(&mut self, rng: &mut Rng) -> Option<&mut T> {
        let length = self.0.len();
        if length == 0 {
            return None;
        }
        let back = rng.usize(..length).min(rng.usize(..length));
        self.0.get_mut(length - 1 - back)
    }

    /// One of them, which is then forgotten.
    pub(super) fn take(&mut self, rng: &mut Rng) -> Option<T> {
        if self.0.is_empty() { None } else { self.0.swap_remove_back(rng.usize(..self.0.len())) }
    }
}

impl Account {
    pub(super) fn new(index: u32) -> Self {
        Self {
            page: Pages::page(index),
            posts: Memory::new(),
            comments: Memory::new(),
            reactions: Memory::new(),
            messages: Memory::new(),
            media: Memory::new(),
            media_comments: Memory::new(),
        }
    }
}

/// Counts what comes into being; every id of a simulation is made of it.
#[derive(Debug)]
pub(super) struct Counter(u64);

impl From<u64> for Counter {
    fn from(first: u64) -> Self {
        Self(first)
    }
}

impl Counter {
    pub(super) fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// Picks an index by Zipf's law.
#[derive(Debug)]
pub(super) struct Zipf {
    /// The sum of all shares up to each index.
    sums: Vec<f64>,
}

impl Zipf {
    pub(super) fn new(count: u32, exponent: f64) -> Self {
        let mut sum = 0.0;
        let sums = (1..=count)
            .map(|rank| {
                sum += f64::from(rank).powf(-exponent);
                sum
            })
            .collect();
        Self { sums }
    }

    pub(super) fn pick(&self, rng: &mut Rng) -> u32 {
        let total = self.sums.last().copied().unwrap_or_default();
        let at = rng.f64() * total;
        let index = self.sums.partition_point(|sum| *sum <= at).min(self.sums.len().saturating_sub(1));
        // There are at most a million.
        index as u32
    }
}

#[cfg(test)]
#[path = "world_tests.rs"]
mod tests;
