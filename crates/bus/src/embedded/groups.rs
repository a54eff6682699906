//! Who has which partition: the members of each group in this process, and what is theirs.
//!
//! A partition changes hands in two steps, as with Kafka's cooperative protocol: the member that is to give it up sees
//! that it is no longer its own, drains and releases it, and only then the other one can take it.
//!
//! Members are woken after the groups are unlocked: a member asks for its place in its group whatever it holds itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use crate::intake::{Intake, TopicPartition};
use crate::threads::lock;

/// A member, named uniquely for the life of the log.
pub(super) type Seat = u64;

#[derive(Debug, Default)]
pub(super) struct Groups {
    inside: Mutex<Inside>,
}

#[derive(Debug, Default)]
struct Inside {
    groups: HashMap<Arc<str>, Group>,
    last: Seat,
    /// Partitions of each topic.
    topics: HashMap<Arc<str>, i32>,
}

#[derive(Debug, Default)]
struct Group {
    members: Vec<Member>,
    /// Who is to have a partition.
    targets: HashMap<TopicPartition, Seat>,
    /// Who has it. The other has to wait.
    owners: HashMap<TopicPartition, Seat>,
    /// Changes with all of this.
    version: u64,
}

#[derive(Debug)]
struct Member {
    seat: Seat,
    topics: Vec<Arc<str>>,
    intake: Arc<Intake>,
}

impl Groups {
    /// The topics that there are.
    pub(super) fn topics(&self, topics: impl IntoIterator<Item = (Arc<str>, i32)>) {
        let mut inside = lock(&self.inside);
        let Inside { groups, topics: known, .. } = &mut *inside;
        known.extend(topics);
        let woken: Vec<_> = groups.values_mut().flat_map(|group| group.share_out(known)).collect();
        drop(inside);
        wake(woken);
    }

    pub(super) fn join(&self, intake: &Arc<Intake>, topics: &[Arc<str>]) -> Seat {
        let mut inside = lock(&self.inside);
        let Inside { groups, last, topics: known } = &mut *inside;
        *last += 1;
        let seat = *last;
        let group = groups.entry(intake.group.clone()).or_default();
        group.members.push(Member { seat, topics: topics.to_vec(), intake: intake.clone() });
        let woken = group.share_out(known);
        drop(inside);
        wake(woken);
        seat
    }

    pub(super) fn leave(&self, group: &str, seat: Seat) {
        let mut inside = lock(&self.inside);
        let Inside { groups, topics: known, .. } = &mut *inside;
        let Some(left) = groups.get_mut(group) else { return };
        left.members.retain(|member| member.seat != seat);
        left.owners.retain(|_, owner| *owner != seat);
        let woken = if left.members.is_empty() {
            groups.remove(group);
            Vec::new()
        } else {
            left.share_out(known)
        };
        drop(inside);
        wake(woken);
    }

    pub(super) fn members(&self, group: &str) -> usize {
        lock(&self.inside).groups.get(group).map_or(0, |group| group.members.len())
    }

    /// Whether a member needs no partition: each of its topics has some, and all of them are to be others'.
    pub(super) fn others_have_all(&self, group: &str, seat: Seat) -> bool {
        let inside = lock(&self.inside);
        let Some(group) = inside.groups.get(group) else { return false };
        let Some(member) = group.members.iter().find(|member| member.seat == seat) else { return false };
        member.topics.iter().all(|topic| {
            let partitions = inside.topics.get(topic).copied().unwrap_or(0);
            let is_others = |partition| group.targets.get(&(topic.clone(), partition)).is_some_and(|to| *to != seat);
            partitions > 0 && (0..partitions).all(is_others)
        })
    }

    /// The topics of a member that are not there.
    pub(super) fn missing(&self, group: &str, seat: Seat) -> Vec<Arc<str>> {
        let inside = lock(&self.inside);
        let members = inside.groups.get(group).map_or(&[][..], |group| &group.members);
        let topics = members.iter().filter(|member| member.seat == seat).flat_map(|member| &member.topics);
        topics.filter(|topic| !inside.topics.contains_key(*topic)).cloned().collect()
    }

    /// What is to be a member's, if that may have changed since it looked last.
    pub(super) fn target(&self, group: &str, seat: Seat, seen: u64) -> Option<(u64, BTreeSet<TopicPartition>)> {
        let inside = lock(&self.inside);
        let group = inside.groups.get(group).filter(|group| group.version != seen)?;
        let own = group.targets.iter().filter(|(_, target)| **target == seat).map(|(place, _)| place.clone());
        Some((group.version, own.collect()))
    }

    /// Takes a partition that is to be the member's. False: another one still has it; the member is woken when not.
    pub(super) fn take(&self, group: &str, seat: Seat, place: &TopicPartition) -> bool {
        let mut inside = lock(&self.inside);
        let Some(group) = inside.groups.get_mut(group) else { return false };
        group.targets.get(place) == Some(&seat) && *group.owners.entry(place.clone()).or_insert(seat) == seat
    }

    /// Gives partitions away.
    pub(super) fn release(&self, group: &str, seat: Seat, places: &[TopicPartition]) {
        let mut inside = lock(&self.inside);
        let Some(group) = inside.groups.get_mut(group) else { return };
        group.owners.retain(|place, owner| *owner != seat || !places.contains(place));
        let woken = group.changed();
        drop(inside);
        wake(woken);
    }

    /// Wakes the members that consume such a topic.
    pub(super) fn wake(&self, of: impl Fn(&str) -> bool) {
        let inside = lock(&self.inside);
        let members = inside.groups.values().flat_map(|group| &group.members);
        let woken = members.filter(|member| member.topics.iter().any(|topic| of(topic)));
        let woken: Vec<_> = woken.map(|member| member.intake.clone()).collect();
        drop(inside);
        wake(woken);
    }
}

/// To be called without the groups' lock.
fn wake(members: Vec<Arc<Intake>>) {
    for intake in members {
        intake.wake();
    }
}

impl Group {
    /// Answers whom to wake.
    #[must_use]
    fn changed(&mut self) -> Vec<Arc<Intake>> {
        self.version += 1;
        self.members.iter().map(|member| member.intake.clone()).collect()
    }

    /// Says anew who is to have what: as evenly as can be, and with as few changes as can be. Answers whom to wake.
    #[must_use]
    fn share_out(&mut self, topics: &HashMap<Arc<str>, i32>) -> Vec<Arc<Intake>> {
        let targets = share(&self.members, topics, std::mem::take(&mut self.targets));
        self.targets = targets;
        self.changed()
    }
}

fn share(
    members: &[Member],
    topics: &HashMap<Arc<str>, i32>,
    before: HashMap<TopicPartition, Seat>,
) -> HashMap<TopicPartition, Seat> {
    let takes = |member: &Member, place: &TopicPartition| member.topics.contains(&place.0);
    let mut wanted: BTreeSet<TopicPartition> = BTreeSet::new();
    for topic in members.iter().flat_map(|member| &member.topics) {
        let partitions = topics.get(topic).copied().unwrap_or(0);
        wanted.extend((0..partitions).map(|partition| (topic.clone(), partition)));
    }
    let mut shares: HashMap<Seat, BTreeSet<TopicPartition>> =
        members.iter().map(|member| (member.seat, BTreeSet::new())).collect();
    for (place, seat) in before {
        let stays = members.iter().any(|member| member.seat == seat && takes(member, &place));
        if stays && wanted.remove(&place) {
            shares.entry(seat).or_default().insert(place);
        }
    }
    let count = |shares: &HashMap<Seat, BTreeSet<TopicPartition>>, seat| shares.get(&seat).map_or(0, BTreeSet::len);
    for place in wanted {
        let fewest = members.iter().filter(|member| takes(member, &place));
        if let Some(member) = fewest.min_by_key(|member| (count(&shares, member.seat), member.seat)) {
            shares.entry(member.seat).or_default().insert(place);
        }
    }
    // Whoever has two more than another gives one; each time the shares come closer, so it ends.
    while let Some((from, to, place)) = uneven(members, &shares, takes) {
        shares.entry(from).or_default().remove(&place);
        shares.entry(to).or_default().insert(place);
    }
    shares.into_iter().flat_map(|(seat, places)| places.into_iter().map(move |place| (place, seat))).collect()
}

fn uneven(
    members: &[Member],
    shares: &HashMap<Seat, BTreeSet<TopicPartition>>,
    takes: impl Fn(&Member, &TopicPartition) -> bool,
) -> Option<(Seat, Seat, TopicPartition)> {
    let count = |member: &Member| shares.get(&member.seat).map_or(0, BTreeSet::len);
    // From the most to the fewest, so that nobody is given what another one has to give again.
    let mut members: Vec<&Member> = members.iter().collect();
    members.sort_by_key(|member| count(member));
    for from in members.iter().rev() {
        let has = shares.get(&from.seat)?;
        for to in members.iter().filter(|to| count(to) + 1 < has.len()) {
            if let Some(place) = has.iter().rev().find(|place| takes(to, place)) {
                return Some((from.seat, to.seat, place.clone()));
            }
        }
    }
    None
}

#[cfg(test)]
#[path = "groups_tests.rs"]
mod tests;
