//! Who is told of faults that last, as what, and how soon: health-check runs beside the services, with the waiting times of
//! production.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::Arguments;
use crate::lasting::Lasting;
use crate::receiver::{CLASSES, Receiver, Told, open};
use crate::run::{self, Run};
use crate::surroundings::Surroundings;
use crate::system::Options;
use crate::tail::Moment;
use crate::traffic::Plan;

/// Everything is well within this time after the start.
const WELL_WITHIN: Duration = Duration::from_secs(120);
/// Longer than the slowest rule, which takes 15 minutes.
const TOLD_WITHIN: Duration = Duration::from_secs(20 * 60);
/// Longer than the slowest rule of class page, which takes 5 minutes, its group wait and a round.
const NOBODY_WITHIN: Duration = Duration::from_secs(6 * 60);
/// For so long a fault lasts yet when what must be told was told: what else comes of it begins by then.
const AND_THEN: Duration = Duration::from_secs(60);
/// Longer than `resolve_after_ms` and `group_interval_ms` together.
const OVER_WITHIN: Duration = Duration::from_secs(15 * 60);

/// One of them.
struct Case {
    name: &'static str,
    what: &'static str,
    lasting: Lasting,
    options: Options,
    /// What must be told, by class and check. Of nothing else anybody is woken.
    tells: &'static [(&'static str, &'static str)],
    /// What the one who was told does.
    does: &'static str,
}

/// What became of it.
struct Outcome {
    case: Case,
    began: Instant,
    ended: Instant,
    over: Instant,
    told: Vec<Told>,
    problems: Vec<String>,
}

fn case(
    name: &'static str,
    what: &'static str,
    lasting: Lasting,
    tells: &'static [(&'static str, &'static str)],
    does: &'static str,
) -> Case {
    Case { name, what, lasting, options: Options { look_ups: true, ..Options::default() }, tells, does }
}

/// With a small disk.
fn on_disk(case: Case) -> Case {
    Case { options: Options { lake_mebibytes: Some(64), ..case.options.clone() }, ..case }
}

/// All of them, those of brokers and services first.
fn cases() -> Vec<Case> {
    let mut cases = of_brokers_and_services();
    cases.extend(of_their_surroundings());
    cases
}

fn of_brokers_and_services() -> Vec<Case> {
    vec![
        case(
            "told-no-brokers",
            "no broker answers",
            Lasting::NoBrokers,
            &[
                ("page", "streaming_kafka"),
                ("page", "processing_log"),
                ("page", "enricher_log"),
                ("page", "loader_log"),
            ],
            "Bring the brokers back: the door answers 503, and senders repeat.",
        ),
        case(
            "told-no-broker",
            "one of three brokers is gone",
            Lasting::NoBroker,
            &[],
            "Nothing: the others have all its records.",
        ),
        case(
            "told-stopped",
            "one of two processing instances hangs (SIGSTOP)",
            Lasting::Stopped("processing-1"),
            &[("page", "instances")],
            "Restart the instance: the other one has its work.",
        ),
        case(
            "told-gone",
            "the only enricher is gone",
            Lasting::Gone("enricher-0"),
            &[("page", "instances")],
            "Start it, after a look at the end of its log.",
        ),
        case(
            "told-killed",
            "`kill -9` of each service, which is restarted at once",
            Lasting::Killed,
            &[],
            "Nothing: it is over.",
        ),
    ]
}

fn of_their_surroundings() -> Vec<Case> {
    vec![
        on_disk(case(
            "told-read-only",
            "the disk of the lake cannot be written",
            Lasting::ReadOnly,
            &[("page", "enricher_lake")],
            "Make it writable: what was not written waits on the log.",
        )),
        on_disk(case(
            "told-full",
            "the disk of the lake is full",
            Lasting::Full,
            &[("page", "enricher_lake")],
            "Make room: what was not written waits on the log.",
        )),
        case(
            "told-no-database",
            "PostgreSQL cannot be reached",
            Lasting::NoDatabase,
            &[("page", "registrations_database")],
            "Bring it back: deliveries go on, nobody can register.",
        ),
        case(
            "told-no-claims",
            "Redis, which has the claims, is gone",
            Lasting::NoClaims,
            &[("page", "processing_claims"), ("page", "enricher_claims")],
            "Bring it back: processing waits, the door goes on.",
        ),
        case(
            "told-expired",
            "the certificate of a processing instance has expired",
            Lasting::Expired,
            &[("page", "certificates")],
            "Replace the files: a restart is not needed.",
        ),
        Case {
            options: Options { processing: crate::storms::OF_ALL, look_ups: true, ..Options::default() },
            ..case(
                "told-storm",
                "most deliveries cannot be read",
                Lasting::Storm,
                &[("page", "processing_dead_letter_storm")],
                "Look at the dead letters; then let processing go on, or repair the parser first.",
            )
        },
        case(
            "told-slow",
            "150 ms of latency in each direction to the brokers",
            Lasting::Slow,
            &[],
            "Nothing: it goes on, later.",
        ),
        case(
            "told-no-look-ups",
            "the enricher cannot ask processing",
            Lasting::NoLookUps,
            &[("ticket", "enricher_step_registrations")],
            "Look at the network in working hours: activities go on, marked as partial.",
        ),
    ]
}

/// Fewer than in the other cases: these take minutes.
pub(crate) fn plan() -> Plan {
    Plan { rate: 20.0, ..run::plan(1) }
}

/// Prints what was told, and renews the table. Whether all was as it must be.
pub(crate) async fn run(around: &Surroundings, arguments: &Arguments) -> anyhow::Result<(String, bool)> {
    let wanted =
        |case: &Case| arguments.names.is_empty() || arguments.names.iter().any(|name| case.name.contains(name));
    let mut text = String::from(
        "| fault | paged | ticketed | logged | resolved after | what the one who was told does |\n|---|---|---|---|--:|---|\n",
    );
    let mut passed = true;
    let cases: Vec<_> = cases().into_iter().filter(wanted).collect();
    anyhow::ensure!(!cases.is_empty(), "no fault that lasts has such a name");
    for case in cases {
        let (name, logs) = (case.name, arguments.logs_of(case.name));
        let outcome = match one(case, around, &logs).await {
            Ok(outcome) => outcome,
            Err(error) => {
                println!("  FAILED: {name} could not be run: {error:#}\n  its logs are in {}", logs.display());
                passed = false;
                continue;
            }
        };
        for problem in &outcome.problems {
            println!("  FAILED: {problem}");
        }
        if outcome.problems.is_empty() && arguments.logs.is_none() {
            drop(std::fs::remove_dir_all(&logs));
        }
        passed &= outcome.problems.is_empty();
        let line = outcome.line();
        println!("{line}");
        text.push_str(&line);
    }
    Ok((text, passed))
}

async fn one(case: Case, around: &Surroundings, logs: &Path) -> anyhow::Result<Outcome> {
    let mut run = Run::start(case.name, around, case.options.clone(), plan()).await?;
    let told = tell(&case, &mut run).await;
    let (began, ended, over, told) = match told {
        Ok(told) => told,
        Err(error) => {
            run.keep_logs(Some(logs)).await?;
            return Err(error);
        }
    };
    let report = run.finish(run::PATIENCE, Some(logs)).await?;
    let mut outcome = Outcome { case, began, ended, over, told, problems: Vec::new() };
    outcome.problems = outcome.unexpected();
    if !report.verdict.holds() {
        outcome.problems.push(format!("{}", report.verdict));
    }
    Ok(outcome)
}

/// When it began, when it ended, when nobody believed in it any more, and what was told.
async fn tell(case: &Case, run: &mut Run<'_>) -> anyhow::Result<(Instant, Instant, Instant, Vec<Told>)> {
    let mut remedy = case.lasting.prepare(run).await?;
    let receiver = Receiver::start().await?;
    run.system.add_health_check(&receiver.settings(), remedy.shown.as_ref(), WELL_WITHIN).await?;
    println!("  {:?} begins", case.lasting);
    let began = case.lasting.begin(run, &mut remedy).await?;
    if case.tells.is_empty() {
        // A fault lasts for a time, in which nobody is told.
        tokio::time::sleep(NOBODY_WITHIN).await;
    } else {
        let is_told = |told: &Vec<Told>| case.tells.iter().all(|(class, check)| first(told, class, check).is_some());
        receiver.until("all is told", TOLD_WITHIN, is_told).await?;
        tokio::time::sleep(AND_THEN).await;
    }
    case.lasting.end(run, &mut remedy).await?;
    run.ended(Moment::now());
    let ended = Instant::now();
    println!("  {:?} has ended", case.lasting);
    receiver.until("all is resolved", OVER_WITHIN, |told| open(told).is_empty()).await?;
    Ok((began, ended, Instant::now(), receiver.told()))
}

/// When a check was told first.
fn first(told: &[Told], class: &str, check: &str) -> Option<Instant> {
    let names = |told: &&Told| told.firing.iter().any(|alert| alert.split_once('/').is_some_and(|(_, of)| of == check));
    told.iter().filter(|told| told.class == class).find(names).map(|told| told.at)
}

impl Outcome {
    /// What somebody was told as a page or a ticket, and should not have been.
    fn unexpected(&self) -> Vec<String> {
        let checks = |class| self.checks(class).into_iter().map(move |(check, _)| (class, check));
        let unexpected = checks("page").chain(checks("ticket"));
        unexpected
            .filter(|(class, check)| !self.case.tells.contains(&(class, check.as_str())))
            .map(|(class, check)| format!("{class} of {check}, which nobody expects"))
            .collect()
    }

    /// The checks that were told as this, and when.
    fn checks(&self, class: &str) -> Vec<(String, Duration)> {
        let of_class = self.told.iter().filter(|told| told.class == class);
        let names = of_class.flat_map(|told| told.firing.iter().filter_map(|alert| Some(alert.split_once('/')?.1)));
        let mut checks: Vec<(String, Duration)> = Vec::new();
        for check in names {
            if let Some(at) = first(&self.told, class, check).filter(|_| checks.iter().all(|(known, _)| known != check))
            {
                checks.push((check.to_owned(), at.saturating_duration_since(self.began)));
            }
        }
        checks
    }

    fn line(&self) -> String {
        let mut text = format!("| {} |", self.case.what);
        for class in CLASSES {
            let checks =
                self.checks(class).into_iter().map(|(check, after)| format!("`{check}`, {} s", after.as_secs()));
            let checks = checks.collect::<Vec<_>>().join("; ");
            let _ = write!(text, " {} |", if checks.is_empty() { "nobody" } else { &checks });
        }
        let over = self.over.saturating_duration_since(self.ended).as_secs();
        let over = if self.told.is_empty() { "–".to_owned() } else { format!("{over} s") };
        let _ = writeln!(text, " {over} | {} |", self.case.does);
        text
    }
}
