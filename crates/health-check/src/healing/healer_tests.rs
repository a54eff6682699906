use std::collections::VecDeque;
use std::sync::Mutex;

use futures_util::future::BoxFuture;

use super::*;
use crate::samples::whole;

const PACING: Pacing = Pacing { after_ms: 100, pause_ms: 300, jitter_ms: 0, window_ms: 10_000, most: 3 };

/// Answers as a test says, and keeps what it was asked.
#[derive(Default)]
struct Scripted {
    looks: Mutex<VecDeque<Result<Seen, String>>>,
    applies: Mutex<VecDeque<Result<(), NotApplied>>>,
    applied: Mutex<Vec<(String, Vec<i64>, i64)>>,
    hangs: bool,
}

impl Remedy for Scripted {
    fn name(&self) -> &'static str {
        "restart"
    }

    fn look<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Seen, String>> {
        Box::pin(async { self.looks.lock().unwrap().pop_front().unwrap_or_else(|| Ok(Seen::default())) })
    }

    fn apply<'a>(&'a self, target: &'a str, seen: &'a Seen, now_ms: i64) -> BoxFuture<'a, Result<(), NotApplied>> {
        Box::pin(async move {
            self.applied.lock().unwrap().push((target.to_owned(), seen.applied_ms.iter().copied().collect(), now_ms));
            if self.hangs {
                std::future::pending::<()>().await;
            }
            self.applies.lock().unwrap().pop_front().unwrap_or(Ok(()))
        })
    }
}

struct Tried {
    remedy: Arc<Scripted>,
    healer: Healer,
    audit: Audit,
}

impl Tried {
    fn new(remedy: Scripted, dry_run: bool, needs: Needs) -> Self {
        let (remedy, audit) = (Arc::new(remedy), Audit::default());
        let cases = vec![Case::new(remedy.clone(), "loader", needs, 0)];
        let healer = Healer { roll: || 0.0, ..Healer::new(cases, PACING, dry_run, audit.clone()) };
        Self { remedy, healer, audit }
    }

    /// Rounds at these times; what came of them.
    async fn rounds(&mut self, times: impl IntoIterator<Item = i64>) -> Vec<(i64, Came)> {
        let view = whole(|_| ());
        for now_ms in times {
            self.healer.round(&view, now_ms).await;
        }
        let mut all: Vec<_> = self.audit.attempts().iter().map(|one| (one.at_ms, one.came)).collect();
        all.reverse();
        all
    }

    fn applied(&self) -> Vec<(String, Vec<i64>, i64)> {
        self.remedy.applied.lock().unwrap().clone()
    }
}

fn ill(_: &View, _: &str) -> Option<String> {
    Some("loader_progress: stands".to_owned())
}

#[tokio::test]
async fn it_heals_waits_longer_each_time_and_then_gives_up_and_says_so() {
    let mut tried = Tried::new(Scripted::default(), false, ill);
    // 300 after the start, then 300 and 600 after that.
    let came = tried.rounds((0..5000).step_by(100)).await;
    assert_eq!(came, [(300, Came::Applied), (600, Came::Applied), (1200, Came::Applied)]);
    let all = vec![(vec![], 300), (vec![300], 600), (vec![300, 600], 1200)];
    let loader = |(before, at)| ("loader".to_owned(), before, at);
    assert_eq!(tried.applied(), all.into_iter().map(loader).collect::<Vec<_>>(), "each is told what was done before");
    let problem = "restart loader: it was done 3 times and did not help, so not again before 1970-01-01T00:00:10.300Z: \
                   loader_progress: stands";
    assert_eq!(tried.audit.problems(), [problem]);
    // It heals by itself, or by a person: nobody has to look any more.
    tried.healer.cases[0].needs = |_, _| None;
    tried.rounds([5000]).await;
    assert_eq!(tried.audit.problems(), [""; 0]);
}

#[tokio::test]
async fn a_break_of_one_round_begins_anew() {
    let mut tried = Tried::new(Scripted::default(), false, ill);
    tried.rounds([1000, 1090]).await;
    tried.healer.cases[0].needs = |_, _| None;
    tried.rounds([1095]).await;
    tried.healer.cases[0].needs = ill;
    assert_eq!(tried.rounds([1100, 1190]).await, []);
    assert_eq!(tried.rounds([1200]).await, [(1200, Came::Applied)]);
}

#[tokio::test]
async fn a_dry_run_does_nothing_as_often_as_it_would_have_done_something() {
    let mut tried = Tried::new(Scripted::default(), true, ill);
    let came = tried.rounds((0..5000).step_by(100)).await;
    assert_eq!(came, [(300, Came::DryRun), (600, Came::DryRun), (1200, Came::DryRun)]);
    assert_eq!(tried.applied(), []);
    assert!(tried.audit.problems()[0].contains("would have been done 3 times"), "{:?}", tried.audit.problems());
}

#[tokio::test]
async fn what_another_one_did_is_respected() {
    let seen = |times: &[i64], busy: Option<&str>| {
        Ok(Seen { applied_ms: times.iter().copied().collect(), busy: busy.map(str::to_owned), version: "7".to_owned() })
    };
    let looks = [seen(&[250], None), seen(&[250], Some("its pods are still coming up")), seen(&[250], None)];
    let remedy = Scripted { looks: Mutex::new(looks.into()), ..Scripted::default() };
    let mut tried = Tried::new(remedy, false, ill);
    // At 300 it hears of a restart at 250, at 550 that its pods come up.
    assert_eq!(tried.rounds([0, 300, 400, 549, 550]).await, []);
    assert_eq!(tried.rounds([560]).await, [(560, Came::Applied)]);
    assert_eq!(tried.applied(), [("loader".to_owned(), vec![250], 560)]);
    assert!(tried.remedy.looks.lock().unwrap().is_empty(), "nobody is asked while it must wait anyway");
}

#[tokio::test]
async fn who_was_overtaken_looks_again_and_finds_what_the_other_did() {
    let seen = |times: &[i64]| Ok(Seen { applied_ms: times.iter().copied().collect(), ..Seen::default() });
    let remedy = Scripted {
        looks: Mutex::new([seen(&[]), seen(&[299])].into()),
        applies: Mutex::new([Err(NotApplied::Overtaken)].into()),
        ..Scripted::default()
    };
    let mut tried = Tried::new(remedy, false, ill);
    assert_eq!(tried.rounds([0, 300, 310, 500]).await, [(300, Came::Overtaken)]);
    assert_eq!(tried.audit.alerts(310), [], "it is no news");
    assert_eq!(tried.rounds([599]).await, [(300, Came::Overtaken), (599, Came::Applied)]);
}

#[tokio::test]
async fn what_cannot_be_done_is_told_and_tried_after_a_pause_without_end() {
    let refused = || Err("403 Forbidden".to_owned());
    let remedy = Scripted { looks: Mutex::new((0..4).map(|_| refused()).collect()), ..Scripted::default() };
    let mut tried = Tried::new(remedy, false, ill);
    let came = tried.rounds((0..1300).step_by(100)).await;
    assert_eq!(came, [300, 600, 900, 1200].map(|at| (at, Came::Refused)));
    assert_eq!(tried.audit.problems(), ["restart loader: it was needed, and could not be done: 403 Forbidden"]);
    assert_eq!(tried.rounds([1500]).await.last(), Some(&(1500, Came::Applied)), "nothing was used up");
    assert_eq!(tried.audit.problems(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_counts_as_done() {
    let mut tried = Tried::new(Scripted { hangs: true, ..Scripted::default() }, false, ill);
    let came = tried.rounds((0..5000).step_by(100)).await;
    assert_eq!(came, [(300, Came::Unsure), (600, Came::Unsure), (1200, Came::Unsure)]);
    assert_eq!(tried.audit.attempts()[0].problem, "no answer within 10s");
    assert_eq!(tried.applied().len(), 3);
}
