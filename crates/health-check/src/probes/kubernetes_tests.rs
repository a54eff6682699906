use common::health::v1::State;
use proptest::prelude::*;

use super::*;
use crate::probes::pattern::Pattern;
use fake::{Api as Fake, status};

#[path = "kubernetes/fake.rs"]
mod fake;

const WITHIN: Duration = Duration::from_secs(60);
/// Longer than any of these looks takes.
const LONG: Duration = Duration::from_secs(600);

struct Tried {
    api: Fake,
    probe: Kubernetes,
    now: Instant,
}

impl Tried {
    /// Of a cluster with these pods, at which nobody has looked.
    async fn new(must: Option<&str>, must_not: Option<&str>, pods: &[&str]) -> Self {
        let api = Fake::new().await;
        pods.iter().for_each(|name| api.cluster().add(name));
        let pattern = |text: &str| Pattern::new(text).unwrap();
        let log = LogSettings { must: must.map(pattern), must_not: must_not.map(pattern), ..LogSettings::default() };
        let (namespace, selector) = ("shop".to_owned(), "app=shop".to_owned());
        let settings = PodLogSettings { namespace, selector, url: Some(api.peer.url()), ..PodLogSettings::default() };
        Self { api, probe: Kubernetes::new(&settings, &log, WITHIN), now: Instant::now() }
    }

    /// So many seconds later.
    async fn look(&mut self, later: u64) -> (State, String) {
        self.look_for(later, LONG).await
    }

    async fn look_for(&mut self, later: u64, takes: Duration) -> (State, String) {
        self.now += Duration::from_secs(later);
        let Found { state, message, .. } = self.probe.look(self.now, takes).await;
        (state, message)
    }

    fn write(&self, name: &str, text: &str) {
        self.api.cluster().write(name, text);
    }
}

fn missing(reason: &str) -> (State, String) {
    (State::Unknown, format!("lines of the last 60s are missing: {reason}"))
}

fn bad(lines: u64) -> (State, String) {
    (State::Failing, format!("\"bad\" is in {lines} lines of the last 60s, last: bad"))
}

const OK: State = State::Ok;

#[tokio::test]
async fn lines_count_from_the_first_look_on() {
    let mut tried = Tried::new(Some("done"), Some("bad"), &["shop-1", "shop-2"]).await;
    tried.write("shop-1", "bad");
    tried.write("shop-1", "done");
    assert_eq!(tried.look(0).await.0, State::Warning, "what was there before is not known to be recent");
    for (name, text) in [("shop-1", "done"), ("shop-2", "bad"), ("shop-2", "fine"), ("shop-2", "bad")] {
        tried.write(name, text);
    }
    assert_eq!(tried.look(1).await, bad(2));
    assert_eq!(tried.look(30).await, bad(2), "no line counts twice");
    tried.write("shop-2", "done");
    assert_eq!(tried.look(30).await, (OK, "as it must be: done".to_owned()));
    assert_eq!(tried.look(60).await.0, State::Failing, "no line must be there now");
    // A pod that comes later is read from its beginning.
    tried.api.cluster().add("shop-3");
    tried.write("shop-3", "bad");
    assert_eq!(tried.look(1).await, bad(1));
}

/// Nobody knows from when lines are that were read because a look before them failed.
#[tokio::test]
async fn what_was_there_before_the_first_list_does_not_count_whenever_that_is() {
    let mut tried = Tried::new(Some("done"), None, &["shop-1"]).await;
    tried.write("shop-1", "done");
    tried.api.cluster().refuses_list = Some((503, String::new()));
    assert_eq!(tried.look(0).await.0, State::Failing);
    tried.api.cluster().refuses_list = None;
    tried.api.cluster().refuses_log = Some((503, String::new()));
    assert_eq!(tried.look(1).await.0, State::Failing);
    tried.api.cluster().refuses_log = None;
    assert_eq!(tried.look(1).await.0, State::Warning);
}

#[tokio::test]
async fn the_last_words_of_an_instance_are_read_after_its_restart() {
    let mut tried = Tried::new(None, Some("bad"), &["shop-1"]).await;
    tried.write("shop-1", "fine");
    tried.look(0).await;
    tried.write("shop-1", "bad");
    tried.api.cluster().pod("shop-1").restart();
    tried.write("shop-1", "bad");
    assert_eq!(tried.look(1).await, bad(2));
    assert_eq!(tried.look(60).await.0, OK);
    // Also of one that had written nothing yet.
    tried.api.cluster().add("shop-2");
    assert_eq!(tried.look(1).await.0, OK);
    tried.write("shop-2", "bad");
    tried.api.cluster().pod("shop-2").restart();
    assert_eq!(tried.look(1).await, bad(1));
    assert_eq!(tried.look(60).await.0, OK);
    // And of one that nobody has seen before it.
    tried.api.cluster().add("shop-3");
    tried.write("shop-3", "bad");
    tried.api.cluster().pod("shop-3").restart();
    assert_eq!(tried.look(1).await, bad(1));
}

#[tokio::test]
async fn of_two_restarts_the_lines_between_are_missing() {
    let restarted = "shop-1/web: it restarted more than once since the last look, or its file was rotated";
    for begins_empty in [false, true] {
        let mut tried = Tried::new(None, Some("bad"), &["shop-1"]).await;
        if !begins_empty {
            tried.write("shop-1", "fine");
        }
        tried.look(0).await;
        tried.write("shop-1", "bad");
        tried.api.cluster().pod("shop-1").restart();
        tried.write("shop-1", "fine");
        tried.api.cluster().pod("shop-1").restart();
        tried.write("shop-1", "fine");
        assert_eq!(tried.look(1).await, missing(restarted));
        assert_eq!(tried.look(59).await, missing(restarted), "for as long as they would count");
        assert_eq!(tried.look(1).await.0, OK);
        // What is read still counts.
        tried.write("shop-1", "bad");
        assert_eq!(tried.look(1).await, bad(1));
    }
}

/// Between the list and the log an instance may end: the list after it says so.
#[tokio::test]
async fn a_restart_that_the_list_did_not_know_is_noticed_with_the_next() {
    let mut tried = Tried::new(None, Some("bad"), &["shop-1"]).await;
    tried.look(0).await;
    tried.write("shop-1", "bad");
    tried.api.cluster().pod("shop-1").restart();
    tried.api.cluster().pod("shop-1").restarts = 0;
    tried.write("shop-1", "fine");
    tried.look(1).await;
    tried.api.cluster().pod("shop-1").restarts = 1;
    assert_eq!(tried.look(1).await.0, State::Unknown);
}

#[tokio::test]
async fn an_instance_that_waits_for_its_next_start_is_read_once() {
    let mut tried = Tried::new(None, Some("bad"), &["shop-1"]).await;
    tried.write("shop-1", "fine");
    tried.look(0).await;
    tried.write("shop-1", "bad");
    tried.api.cluster().pod("shop-1").crash();
    assert_eq!(tried.look(1).await, bad(1));
    assert_eq!(tried.look(1).await, bad(1));
    // It starts, and ends again.
    tried.api.cluster().pod("shop-1").restart();
    tried.write("shop-1", "bad");
    tried.api.cluster().pod("shop-1").crash();
    assert_eq!(tried.look(1).await, bad(2));
}

#[tokio::test]
async fn what_was_in_a_file_that_is_rotated_is_missing() {
    let mut tried = Tried::new(None, Some("bad"), &["shop-1"]).await;
    tried.write("shop-1", "fine");
    tried.look(0).await;
    tried.write("shop-1", "bad");
    tried.api.cluster().pod("shop-1").rotate();
    let rotated = "shop-1/web: it restarted more than once since the last look, or its file was rotated";
    assert_eq!(tried.look(1).await, missing(rotated));
    assert_eq!(tried.look(60).await.0, OK, "once is once");
    tried.write("shop-1", "bad");
    assert_eq!(tried.look(1).await, bad(1));
}

#[tokio::test]
async fn a_pod_that_is_gone_is_told_unless_it_had_ended_and_was_read() {
    let mut tried = Tried::new(None, Some("bad"), &["shop-1", "job-1", "job-2", "job-3"]).await;
    tried.look(0).await;
    tried.api.cluster().pod("job-1").state = "terminated";
    tried.look(1).await;
    tried.api.peer.asked();
    tried.look(1).await;
    let asked = tried.api.peer.asked();
    assert!(asked.len() == 4 && asked.iter().all(|one| !one.path.contains("job-1")), "it is over: {asked:?}");
    tried.api.cluster().remove("job-1");
    assert_eq!(tried.look(1).await.0, OK);
    tried.api.cluster().remove("job-2");
    let gone = missing("job-2/web is gone, with the lines that it wrote last");
    assert_eq!(tried.look(1).await, gone);
    assert_eq!(tried.look(59).await, gone);
    assert_eq!(tried.look(1).await.0, OK);
    // Another pod with its name is another pod.
    tried.write("job-3", "fine");
    tried.look(0).await;
    tried.api.cluster().remove("job-3");
    tried.api.cluster().add("job-3");
    tried.write("job-3", "bad");
    assert_eq!(tried.look(1).await, bad(1));
    tried.api.cluster().pods.clear();
    let (state, message) = tried.look(60).await;
    assert_eq!((state, message.as_str()), (State::Failing, "there is no such pod (labels app=shop in namespace shop)"));
}

#[tokio::test]
async fn more_lines_are_asked_for_only_where_more_have_come() {
    let mut tried = Tried::new(Some("done"), Some("bad"), &["shop-1"]).await;
    let asked = |tried: &Tried| {
        let asked = tried.api.peer.asked().into_iter().filter(|asked| asked.path.ends_with("/log"));
        asked.map(|asked| asked.query["tailLines"].clone()).collect::<Vec<_>>()
    };
    let write =
        |tried: &Tried, lines| (0..lines).for_each(|n| tried.write("shop-1", if n == 0 { "bad" } else { "done" }));
    write(&tried, 300);
    tried.look(0).await;
    assert_eq!(asked(&tried), ["200"]);
    for (lines, steps) in
        [(0, &["200"][..]), (199, &["200"]), (200, &["200", "5000"]), (6000, &["200", "5000", "50000"])]
    {
        write(&tried, lines);
        let (state, message) = tried.look(61).await;
        assert_eq!(state, State::Failing, "{message}");
        assert_eq!(message.starts_with("\"bad\" is in 1 lines"), lines > 0, "{message}");
        assert_eq!(asked(&tried), steps, "{lines}");
    }
    write(&tried, 50_001);
    let much =
        "shop-1/web: it wrote more than 50000 lines or 4 MiB since the last look: give the probe a shorter interval_ms";
    assert_eq!(tried.look(61).await, missing(much), "the bad one was the first of them");
    tried.write("shop-1", "bad");
    assert_eq!(tried.look(1).await, bad(1));
    // The limit of bytes cuts what is newest.
    tried.look(61).await;
    (0..150).for_each(|_| tried.write("shop-1", &"x".repeat(30_000)));
    tried.write("shop-1", "bad");
    assert_eq!(tried.look(1).await, missing(much));
}

#[tokio::test]
async fn what_the_api_refuses_is_told() {
    let account = "User \"system:serviceaccount:weir:health-check\" cannot list resource \"pods\" in API group \"\" in the namespace \"shop\"";
    let list = format!("pods is forbidden: {account}");
    let log = "pods \"shop-1\" is forbidden: cannot get resource \"pods/log\"";
    let node = "Get \"https://10.0.0.7:10250/containerLogs/shop/shop-1/web\": dial tcp 10.0.0.7:10250: i/o timeout";
    for (refuses_list, refuses_log, state, says) in [
        (
            Some((401, status(401, "Unauthorized", "Unauthorized"))),
            None,
            State::Failing,
            "cannot list the pods of shop: 401 Unauthorized: Unauthorized".to_owned(),
        ),
        (
            Some((403, status(403, "Forbidden", &list))),
            None,
            State::Failing,
            format!("cannot list the pods of shop: 403 Forbidden: {list}"),
        ),
        (Some((200, "<html>".to_owned())), None, State::Failing, "the answer is no list of pods: ".to_owned()),
        (
            None,
            Some((403, status(403, "Forbidden", log))),
            State::Failing,
            format!("cannot read the log of shop-1/web: 403 Forbidden: {log}"),
        ),
        (
            None,
            Some((500, status(500, "InternalError", node))),
            State::Failing,
            format!("cannot read the log of shop-1/web: 500 Internal Server Error: {node}"),
        ),
        (
            None,
            Some((200, "unable to retrieve container logs for containerd://0".to_owned())),
            State::Failing,
            "cannot read the log of shop-1/web: the node says: unable to".to_owned(),
        ),
        (
            None,
            Some((404, status(404, "NotFound", "pods \"shop-1\" not found"))),
            State::Unknown,
            "lines of the last 60s are missing: shop-1/web: 404 Not Found: pods \"shop-1\" not found".to_owned(),
        ),
    ] {
        let mut tried = Tried::new(None, Some("bad"), &["shop-1"]).await;
        assert_eq!(tried.look(0).await.0, OK);
        tried.api.cluster().refuses_list = refuses_list;
        tried.api.cluster().refuses_log = refuses_log;
        let (found, message) = tried.look(1).await;
        assert!(found == state && message.starts_with(&says), "{found:?} {message}");
        // Nothing of it stays.
        tried.api.cluster().refuses_list = None;
        tried.api.cluster().refuses_log = None;
        tried.write("shop-1", "bad");
        assert_eq!(tried.look(1).await, bad(1));
    }
    let mut tried = Tried::new(None, Some("bad"), &["shop-1"]).await;
    tried.api.cluster().pod("shop-1").state = "waiting";
    let waits = "no container has been started: shop-1/web CrashLoopBackOff (labels app=shop in namespace shop)";
    assert_eq!(tried.look(0).await, (State::Failing, waits.to_owned()));
}

#[tokio::test]
async fn without_time_each_container_has_its_turn() {
    let mut tried = Tried::new(None, Some("bad"), &["shop-1", "shop-2", "shop-3"]).await;
    let (state, message) = tried.look_for(0, Duration::ZERO).await;
    let left = "2 of 3 containers are not read after 0ns: give the probe a larger timeout_ms";
    assert_eq!((state, message.as_str()), (State::Unknown, left));
    for _ in 0..2 {
        assert_eq!(tried.look_for(1, Duration::ZERO).await.0, State::Unknown);
    }
    tried.write("shop-3", "bad");
    for state in [State::Unknown, State::Unknown, State::Failing] {
        assert_eq!(tried.look_for(1, Duration::ZERO).await.0, state);
    }
}

#[derive(Clone, Debug)]
enum Does {
    Writes(usize, bool),
    Restarts(usize),
    Crashes(usize),
    Rotates(usize),
    Goes(usize),
    Looks(u64),
}

fn does() -> impl Strategy<Value = Does> {
    prop_oneof![
        6 => (0..2_usize, any::<bool>()).prop_map(|(pod, bad)| Does::Writes(pod, bad)),
        2 => (0..2_usize).prop_map(Does::Restarts),
        1 => (0..2_usize).prop_map(Does::Crashes),
        1 => (0..2_usize).prop_map(Does::Rotates),
        1 => (0..2_usize).prop_map(Does::Goes),
        4 => (0..40_u64).prop_map(Does::Looks),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens between two looks: it is ok only where no bad line was written, and it counts none twice.
    #[test]
    fn it_is_never_ok_by_accident(all in prop::collection::vec(does(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let names = ["shop-1", "shop-2"];
            let mut tried = Tried::new(None, Some("bad"), &names).await;
            tried.look(0).await;
            // When the look after each bad line was; not yet: none.
            let (mut lines, mut second): (Vec<Option<u64>>, u64) = (Vec::new(), 0);
            for one in all.into_iter().chain([Does::Looks(1)]) {
                match one {
                    Does::Writes(pod, is_bad) => {
                        tried.write(names[pod], if is_bad { "bad" } else { "fine" });
                        lines.extend(is_bad.then_some(None));
                    }
                    Does::Restarts(pod) => tried.api.cluster().pod(names[pod]).restart(),
                    Does::Crashes(pod) => tried.api.cluster().pod(names[pod]).crash(),
                    Does::Rotates(pod) => tried.api.cluster().pod(names[pod]).rotate(),
                    Does::Goes(pod) => {
                        // Its name is in use again at once, as that of a pod of a StatefulSet.
                        let mut cluster = tried.api.cluster();
                        cluster.remove(names[pod]);
                        cluster.add(names[pod]);
                    }
                    Does::Looks(later) => {
                        second += later;
                        lines.iter_mut().for_each(|read| *read = read.or(Some(second)));
                        let bad = lines.iter().filter(|read| second - read.unwrap() < 60).count();
                        let (state, message) = tried.look(later).await;
                        prop_assert!(state != OK || bad == 0, "{bad}: {message}");
                        let counted = message.strip_prefix("\"bad\" is in ").and_then(|rest| rest.split(' ').next()?.parse::<usize>().ok());
                        prop_assert!(counted.is_none_or(|counted| counted <= bad), "{bad}: {message}");
                    }
                }
            }
            Ok(())
        })?;
    }
}
