//! Weeks of the simulator: what its platforms deliver, as often as the rhythm of days and weeks says. In the last week there
//! are ten faults, one after the other at endpoints of their own.

use std::fmt::Write as _;
use std::sync::Arc;

use health_check::volume::history::ALL;
use simulate::{Config, Endpoints, Generator};

use crate::backtest::{Alarms, DAY, Recording, START, STEPS, WEEK, replay, watch};
use crate::made;

const SEED: u64 = 21;
/// Weeks before that of the faults.
const BEFORE: usize = 4;
/// The last hour of a fault is judged when it is over.
const JUDGED: usize = 2 * STEPS;

/// What comes instead of a count, so many steps after the fault began. The last argument: so many of it are of the kind.
type Change = fn(usize, f64, f64) -> f64;

struct Fault {
    what: &'static str,
    /// The hour of the week.
    from: usize,
    hours: usize,
    change: Change,
    /// What finds it.
    finds: &'static [&'static str],
}

struct Sender {
    endpoint: &'static str,
    mix: &'static str,
    /// Deliveries in an hour at noon.
    noon: f64,
    /// Nothing comes from it at night.
    closes: bool,
    /// What the topics of one kind begin with.
    kind: &'static str,
    fault: Option<Fault>,
}

const fn sender(endpoint: &'static str, mix: &'static str, noon: f64, fault: Option<Fault>) -> Sender {
    Sender { endpoint, mix, noon, closes: false, kind: "-", fault }
}

const SILENT: &[&str] = &["silent"];
const LESS: &[&str] = &["low", "silent"];
const MORE: &[&str] = &["high"];
const META: &str = "facebook=80,instagram=20";
const GITHUB: &str = "github=1";
const BILLING: &str = "standard=1";

/// By the day of the week, from Monday, and the hour.
const fn fault(
    what: &'static str,
    [day, hour]: [usize; 2],
    hours: usize,
    change: Change,
    finds: &'static [&'static str],
) -> Option<Fault> {
    Some(Fault { what, from: day * 24 + hour, hours, change, finds })
}

const SENDERS: [Sender; 13] = [
    sender("shop-meta", META, 300.0, fault("no delivery", [1, 10], 6, |_, _, _| 0.0, SILENT)),
    sender("shop-billing", BILLING, 40.0, fault("no delivery", [2, 9], 12, |_, _, _| 0.0, SILENT)),
    sender("press-meta", META, 150.0, fault("no delivery at night", [3, 1], 5, |_, _, _| 0.0, SILENT)),
    sender("press-github", GITHUB, 120.0, fault("a tenth", [1, 13], 24, |_, all, _| all * 0.1, LESS)),
    sender("mill-meta", META, 200.0, fault("half", [2, 8], 24, |_, all, _| all * 0.5, LESS)),
    sender("mill-billing", BILLING, 90.0, fault("twice as many", [3, 8], 24, |_, all, _| all * 2.0, MORE)),
    Sender {
        kind: "events.facebook",
        ..sender(
            "tern-meta",
            META,
            120.0,
            fault("no Facebook, only Instagram", [4, 9], 12, |_, all, it| all - it, LESS),
        )
    },
    Sender {
        kind: "events.github.workflow_",
        ..sender("tern-github", GITHUB, 100.0, fault("no runs, no jobs", [1, 8], 48, |_, all, it| all - it, LESS))
    },
    sender(
        "dock-github",
        GITHUB,
        80.0,
        fault("a tenth less each day", [0, 0], 6 * 24, |step, all, _| all * fade(step), LESS),
    ),
    // Closed at night, each night: that is no fault.
    Sender { closes: true, ..sender("office-billing", BILLING, 120.0, None) },
    sender("other-meta", META, 60.0, None),
    sender("other-github", GITHUB, 250.0, None),
    sender("other-billing", BILLING, 15.0, None),
];

/// Something before the door: at all endpoints at once, on Sunday.
const OF_ALL: Fault =
    Fault { what: "no delivery at any endpoint", from: 6 * 24 + 12, hours: 1, change: |_, _, _| 0.0, finds: SILENT };

fn fade(step: usize) -> f64 {
    (0..=step / DAY).fold(1.0, |part, _| part * 0.9)
}

/// The counts of a sender, and so many of them are of its kind.
fn simulate(sender: &Sender, seed: u64) -> [Vec<u32>; 2] {
    let mut random = fastrand::Rng::with_seed(seed);
    let counts = made::endpoint(BEFORE + 1, sender.noon, &mut random);
    let mut config = Config::new(Arc::new(Endpoints::for_tests()), seed, START * 1000);
    config.mix = sender.mix.parse().unwrap();
    let mut deliveries = Generator::new(config).unwrap();
    let open = |step: usize| !sender.closes || (7..19).contains(&(step / STEPS % 24));
    let counts: Vec<u32> = (0..).zip(counts).map(|(step, count)| if open(step) { count } else { 0 }).collect();
    let of_kind = |count: &u32| {
        let made = (0..*count).filter(|_| {
            let events = deliveries.next_delivery().meaning.events;
            events.iter().all(|event| event.topic.starts_with(sender.kind))
        });
        made.count() as u32
    };
    let of_kind = if sender.kind == "-" { Vec::new() } else { counts.iter().map(of_kind).collect() };
    [counts, of_kind]
}

/// Steps from the beginning of the recording, from the first of a fault to the one after its last.
fn steps(fault: &Fault) -> std::ops::Range<usize> {
    let from = BEFORE * WEEK + fault.from * STEPS;
    from..from + fault.hours * STEPS
}

/// The table, and how many pages had no cause.
pub(crate) fn week() -> (String, usize) {
    let made: Vec<_> = (SEED..).zip(&SENDERS).map(|(seed, sender)| simulate(sender, seed)).collect();
    let series = SENDERS.iter().zip(&made).map(|(sender, [counts, _])| (sender.endpoint.to_owned(), counts.clone()));
    let recording = Recording { series: series.collect() };
    let mut random = fastrand::Rng::with_seed(SEED);
    let change = |n: usize, step: usize, count: u32| {
        let faults = SENDERS[n].fault.iter().chain([&OF_ALL]);
        faults.filter(|fault| steps(fault).contains(&step)).fold(count, |count, fault| {
            let of_kind = made[n][1].get(step).copied().unwrap_or_default();
            let left = (fault.change)(step - steps(fault).start, f64::from(count), f64::from(of_kind));
            // By chance up or down, so that small counts keep their mean.
            (left + random.f64()) as u32
        })
    };
    let mut alarms = Alarms::default();
    replay(&mut watch(), &recording, 0..recording.steps(), change, &mut alarms);
    table(&alarms)
}

fn table(alarms: &Alarms) -> (String, usize) {
    let mut text = String::from("| fault | at noon | lasts | found |\n|---|--:|--:|---|\n");
    let faults = SENDERS.iter().filter_map(|sender| Some((sender.endpoint, sender.noon, sender.fault.as_ref()?)));
    let all = SENDERS.iter().map(|sender| sender.noon).sum();
    let (mut count, mut missed) = (0, 0);
    for (endpoint, noon, fault) in faults.chain([(ALL, all, &OF_ALL)]) {
        let within = steps(fault).start..steps(fault).end + JUDGED;
        let first = alarms
            .begun
            .iter()
            .find(|(of, kind, step)| of == endpoint && fault.finds.contains(kind) && within.contains(step));
        let found = first.map_or_else(
            || "**missed**".to_owned(),
            |(_, kind, step)| format!("{kind}, {:.1} h", (step - within.start + 1) as f64 / STEPS as f64),
        );
        (count, missed) = (count + 1, missed + usize::from(first.is_none()));
        let _ = writeln!(text, "| {} | {noon} | {} h | {found} |", fault.what, fault.hours);
    }
    let is_caused = |of: &str, step: usize| {
        let own = SENDERS.iter().filter(|sender| sender.endpoint == of).filter_map(|sender| sender.fault.as_ref());
        own.chain([&OF_ALL]).any(|fault| (steps(fault).start..steps(fault).end + JUDGED).contains(&step))
    };
    let (mut before, mut during, mut closed) = ([0; 3], [0; 3], 0);
    for (of, kind, step) in alarms.begun.iter().filter(|(of, _, step)| !is_caused(of, *step)) {
        let place = ["low", "high", "silent"].iter().position(|one| one == kind).unwrap_or_default();
        (if *step < BEFORE * WEEK { &mut before } else { &mut during })[place] += 1;
        closed += usize::from(SENDERS.iter().any(|sender| sender.closes && sender.endpoint == of));
    }
    let said = |[low, high, silent]: [usize; 3]| format!("{low} low, {high} high, {silent} silent");
    let _ = write!(
        text,
        "\nMissed: {missed} of {count}. False alarms in this week: {}. In the two weeks before it: {}. Of the endpoint that is \
         closed at night: {closed}.\n",
        said(during),
        said(before),
    );
    (text, before[2] + during[2])
}
