use proptest::prelude::*;

use super::*;

const PACING: Pacing = Pacing { after_ms: 100, pause_ms: 300, jitter_ms: 50, window_ms: 10_000, most: 3 };

fn attempts(needed_since_ms: Option<i64>, applied_ms: &[i64]) -> Attempts {
    let applied_ms = applied_ms.iter().copied().collect();
    Attempts { needed_since_ms, applied_ms, ..Attempts::new(0) }
}

#[test]
fn when_it_may_be_applied() {
    use Next::{Apply, Exhausted, NotNeeded, Wait};
    let wait = |until_ms| Wait { until_ms };
    for (needed, applied, now, next, why) in [
        (None, &[][..], 5000, NotNeeded, "nothing is wrong"),
        (Some(5000), &[], 5099, wait(5100), "it may be over by itself"),
        (Some(5000), &[], 5100, Apply, "it has lasted"),
        (Some(0), &[], 299, wait(300), "nobody knows what was done before the start"),
        (Some(0), &[], 300, Apply, "a whole pause after the start"),
        (Some(5000), &[5000], 5299, wait(5300), "a pause after the last time"),
        (Some(5000), &[5000], 5300, Apply, "a pause is over"),
        (Some(5000), &[4000, 5000], 5300, wait(5600), "twice as long after the second time"),
        (Some(5000), &[4000, 5000], 5600, Apply, "twice as long is over"),
        (Some(50_000), &[4000, 50_000], 50_300, Apply, "what is out of the window does not double"),
        (Some(5000), &[3000, 4000, 5000], 9000, Exhausted { until_ms: 13_000 }, "as often as it may be"),
        (Some(9000), &[3000, 4000, 5000], 9099, wait(9100), "nobody has to be told of what has not lasted"),
        (Some(5000), &[3000, 4000, 5000], 13_000, Apply, "the first is out of the window"),
        (Some(5000), &[3000, 4000, 5000, 6000], 13_999, Exhausted { until_ms: 14_000 }, "somebody else did it too"),
        (Some(5000), &[9000], 6000, wait(9300), "a clock that is behind waits for the time that was written"),
    ] {
        assert_eq!(PACING.next(&attempts(needed, applied), now), next, "{why}");
    }
}

#[test]
fn what_was_tried_in_vain_waits_for_a_pause_and_counts_no_more() {
    let tried = Attempts { in_vain_ms: Some(5000), ..attempts(Some(4000), &[1000]) };
    assert_eq!(PACING.next(&tried, 5299), Next::Wait { until_ms: 5300 });
    assert_eq!(PACING.next(&tried, 5300), Next::Apply);
}

#[test]
fn chance_adds_up_to_the_jitter() {
    for (roll, until_ms) in [(0.0, 5100), (0.5, 5125), (1.0, 5150), (7.0, 5150), (-1.0, 5100), (f64::NAN, 5100)] {
        let rolled = Attempts { roll, ..attempts(Some(5000), &[]) };
        assert_eq!(PACING.next(&rolled, 5000), Next::Wait { until_ms }, "{roll}");
        assert_eq!(PACING.next(&rolled, until_ms), Next::Apply, "{roll}");
    }
}

/// What happens in a round: how much later it is, whether it is needed, what comes of applying it, and what chance says.
#[derive(Debug, Clone)]
struct Round {
    later: i64,
    needed: bool,
    came: Came,
    roll: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Came {
    Done,
    InVain,
}

fn round() -> impl Strategy<Value = Round> {
    let came = prop_oneof![4 => Just(Came::Done), 1 => Just(Came::InVain)];
    (1..40_i64, prop::bool::weighted(0.9), came, 0.0..=1.0_f64).prop_map(|(later, needed, came, roll)| Round {
        later,
        needed,
        came,
        roll,
    })
}

fn pacing() -> impl Strategy<Value = Pacing> {
    (0..60_i64, 1..60_i64, 0..30_i64, 60..900_i64, 1..5_usize).prop_map(
        |(after_ms, pause_ms, jitter_ms, window_ms, most)| Pacing { after_ms, pause_ms, jitter_ms, window_ms, most },
    )
}

/// All that ever happened, in order: time, whether it was needed, what came of it if it was tried.
type Story = Vec<(i64, bool, Option<Came>)>;

/// Slow and obvious: looks at all of the story in each round.
fn obvious(pacing: &Pacing, story: &Story, started: i64, roll: f64, now: i64) -> Next {
    let Some(since) = story.iter().rev().take_while(|(_, needed, _)| *needed).last().map(|(at, ..)| *at) else {
        return Next::NotNeeded;
    };
    let all =
        |came: Came| -> Vec<i64> { story.iter().filter(|(.., was)| *was == Some(came)).map(|(at, ..)| *at).collect() };
    let (done, in_vain) = (all(Came::Done), all(Came::InVain));
    let within = |end: i64| done.iter().filter(|at| **at > end - pacing.window_ms && **at <= end).count();
    if now >= since + pacing.after_ms && within(now) >= pacing.most {
        // The first moment at which fewer are within the window.
        let until_ms = (now..).find(|at| within(*at) < pacing.most).unwrap();
        return Next::Exhausted { until_ms };
    }
    let mut until = vec![since + pacing.after_ms, started + pacing.pause_ms];
    if let Some(last) = done.last() {
        let mut pause = pacing.pause_ms;
        for _ in 1..within(*last) {
            pause *= 2;
        }
        until.push(last + pause.min(pacing.window_ms.max(pacing.pause_ms)));
    }
    until.extend(in_vain.last().map(|last| last + pacing.pause_ms));
    let until_ms = until.into_iter().max().unwrap() + (pacing.jitter_ms as f64 * roll) as i64;
    if now < until_ms { Next::Wait { until_ms } } else { Next::Apply }
}

proptest! {
    #[test]
    fn it_agrees_with_an_obvious_evaluator(pacing in pacing(), rounds in prop::collection::vec(round(), 1..120)) {
        let (started, mut now) = (1000, 1000);
        let (mut attempts, mut story) = (Attempts::new(started), Story::new());
        for Round { later, needed, came, roll } in rounds {
            now += later;
            if !needed {
                attempts.needed_since_ms = None;
            } else if attempts.needed_since_ms.is_none() {
                (attempts.needed_since_ms, attempts.roll) = (Some(now), roll);
            }
            attempts.forget(&pacing, now);
            story.push((now, needed, None));
            let next = pacing.next(&attempts, now);
            prop_assert_eq!(next, obvious(&pacing, &story, started, attempts.roll, now));
            if next == Next::Apply {
                attempts.roll = roll;
                match came {
                    Came::Done => _ = attempts.applied_ms.insert(now),
                    Came::InVain => attempts.in_vain_ms = Some(now),
                }
                story.last_mut().unwrap().2 = Some(came);
            }
        }
        // Whatever the two think: what was promised.
        let done: Vec<i64> = story.iter().filter(|(.., was)| *was == Some(Came::Done)).map(|(at, ..)| *at).collect();
        let tried: Vec<i64> = story.iter().filter(|(.., was)| was.is_some()).map(|(at, ..)| *at).collect();
        for (n, at) in done.iter().enumerate() {
            let within = done[..=n].iter().filter(|one| **one > at - pacing.window_ms).count();
            prop_assert!(within <= pacing.most, "{} within the window at {}: {:?}", within, at, done);
        }
        prop_assert!(tried.windows(2).all(|two| two[1] - two[0] >= pacing.pause_ms), "within a pause: {:?}", tried);
        prop_assert!(tried.first().is_none_or(|first| first - started >= pacing.pause_ms), "{:?}", tried);
        let lasted = |at: i64| {
            let before = story.iter().rev().skip_while(|(when, ..)| *when > at);
            before.take_while(|(_, needed, _)| *needed).last().map(|(when, ..)| at - when)
        };
        for at in tried {
            prop_assert!(lasted(at).is_some_and(|lasted| lasted >= pacing.after_ms), "{} had not lasted", at);
        }
    }
}
