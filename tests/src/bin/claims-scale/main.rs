//! Claims at scale: fills each store as the stages do, and tells what an id takes and how long a look lasts.
//!
//! What comes of it stands in docs/claims.md.

use std::fmt;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, bail, ensure};
use bus::settings::{ClaimsStore, SecretUrl};
use bus::{Bus, Claims, Clock, Settings, Verdict};
use clap::Parser;
use weir_tests::redis::{Options, Redis};
use weir_tests::scratch::Scratch;
use weir_tests::wait;

use crate::events::{Event, Events};

mod events;
mod machine;

const STAGE: &str = "processing";
const PROGRESS_EVERY: Duration = Duration::from_secs(10);
/// Looks of each kind, one claim at a time.
const LOOKS: u64 = 10_000;
const MIB: u64 = 1024 * 1024;
/// A folder whose size has not changed for so long is in order.
const SETTLED: Duration = Duration::from_secs(15);
/// When the claims begin, by the clock of the run.
const BEGIN: u64 = 1_700_000_000_000;

/// Fills the claims' stores, and tells bytes for each id, rates, memory and the time of a look.
#[derive(Debug, Parser)]
#[command(name = "claims-scale", version, after_help = EXAMPLES)]
struct Arguments {
    /// Claims to put into the embedded store; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 100_000_000)]
    embedded: u64,
    /// Claims to put into Redis; 0 leaves it out
    #[arg(long, value_name = "N", default_value_t = 10_000_000)]
    redis: u64,
    /// The embedded store in the files of the embedded log, as `weir up` has it without Kafka, and not in a folder of
    /// its own
    #[arg(long)]
    in_log: bool,
    /// Go on until each claim of the embedded store has expired and was followed by another so many times: by the clock of
    /// the run, N claims are made in the time for which one lasts
    #[arg(long, value_name = "TIMES", default_value_t = 0)]
    windows: u64,
    /// Claims in a batch: what one round trip of a stage holds
    #[arg(long, value_name = "N", default_value_t = 500)]
    batch: u64,
    /// Stop filling when the disk has no more than this free, and measure what is there
    #[arg(long, value_name = "GIB", default_value_t = 12)]
    leave_free: u64,
    /// Stop filling a store after so many minutes, and measure what is there
    #[arg(long, value_name = "MINUTES", default_value_t = 60)]
    minutes: u64,
}

const EXAMPLES: &str = "\
Examples:
  claims-scale                                  100 million and 10 million
  claims-scale --embedded 1000000 --redis 0     a quick look
  claims-scale --embedded 10000000 --redis 0 --windows 3
                                                what a store in use takes
  TMPDIR=/big claims-scale                      the data goes to another disk

The data is in the system's folder for temporary files, and goes at the end.
Redis is Debian's redis-server, with append-only persistence. Build it in
release: make claims-scale does.";

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.context("start the runtime").and_then(|runtime| runtime.block_on(run(&arguments)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            progress(&format!("claims-scale: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    ensure!(arguments.batch > 0, "--batch must be at least 1");
    tell(&machine::shown()?)?;
    if arguments.embedded > 0 {
        embedded(arguments).await?;
    }
    if arguments.redis > 0 {
        redis(arguments).await?;
    }
    Ok(())
}

async fn embedded(arguments: &Arguments) -> anyhow::Result<()> {
    let scratch = Scratch::new("claims-scale")?;
    let mut settings = settings(scratch.path())?;
    if arguments.in_log {
        settings.kafka.brokers.clear();
    }
    let time = Time::new(&settings, arguments.embedded);
    let claims = open(&settings, &time).await?;
    let name = if arguments.in_log { "embedded, in the log's files" } else { "embedded, a folder of its own" };
    let wanted = arguments.embedded * (1 + arguments.windows);
    let filled = fill(name, None, arguments, wanted, &claims, &time, scratch.path()).await?;
    report(&filled)?;
    let disk = settled(scratch.path())?;
    let alive = filled.claims.min(arguments.embedded);
    tell(&format!("  on disk              {} of {alive} that have not expired", per_id(disk, alive)))?;
    tell(&format!(
        "  of it in journals    {} MiB, whatever the number of claims",
        machine::journals(scratch.path())? / MIB
    ))?;
    drop(claims);
    let began = Instant::now();
    let claims = open(&settings, &time).await?;
    tell(&format!("  opened again         in {:.1} s, {} MiB resident", seconds(began), machine::resident()? / MIB))?;
    looks(&claims, filled.claims - alive, filled.claims).await?;
    tell(&format!("  resident             {} MiB now, {} at most", machine::resident()? / MIB, machine::peak()? / MIB))
}

async fn redis(arguments: &Arguments) -> anyhow::Result<()> {
    let scratch = Scratch::new("claims-scale")?;
    let folder = scratch.path().to_string_lossy().into_owned();
    let server = Redis::start(Options { appendonly: true, arguments: vec!["--dir".to_owned(), folder] })?;
    let mut settings = settings(scratch.path())?;
    settings.claims.store = ClaimsStore::Redis;
    settings.claims.url = SecretUrl::new(server.url());
    let time = Time::new(&settings, arguments.redis);
    let claims = open(&settings, &time).await?;
    let before = info(&server, "memory", "used_memory")?;
    let filled = fill("Redis", Some(server.pid()), arguments, arguments.redis, &claims, &time, scratch.path()).await?;
    report(&filled)?;
    looks(&claims, 0, filled.claims).await?;
    let used = info(&server, "memory", "used_memory")? - before;
    tell(&format!("  in memory            {} (used_memory)", per_id(used, filled.claims)))?;
    rewritten(&server)?;
    tell(&format!(
        "  of the system        {} MiB (used_memory_rss)",
        info(&server, "memory", "used_memory_rss")? / MIB
    ))?;
    tell(&format!("  file, as appended    {}", per_id(machine::size(scratch.path())?, filled.claims)))?;
    server.ask("BGREWRITEAOF")?;
    rewritten(&server)?;
    tell(&format!("  file, rewritten      {}", per_id(machine::size(scratch.path())?, filled.claims)))
}

fn settings(folder: &Path) -> anyhow::Result<Settings> {
    let mut file: toml::Table = toml::from_str(bus::DEFAULTS)?;
    let mut settings: Settings = file.remove("bus").context("the settings have no [bus]")?.try_into()?;
    settings.data_dir = folder.to_owned();
    Ok(settings)
}

/// The clock of a run: so many claims are made in the time for which one lasts.
struct Time {
    millis: Arc<AtomicU64>,
    ttl_ms: u64,
    in_ttl: u64,
}

impl Time {
    fn new(settings: &Settings, in_ttl: u64) -> Self {
        let ttl_ms = u64::from(settings.claims.ttl_days) * 24 * 3600 * 1000;
        Self { millis: Arc::new(AtomicU64::new(BEGIN)), ttl_ms, in_ttl }
    }

    fn clock(&self) -> Clock {
        let millis = self.millis.clone();
        Clock::new(move || SystemTime::UNIX_EPOCH + Duration::from_millis(millis.load(Ordering::Relaxed)))
    }

    /// So many claims were made.
    fn set(&self, claims: u64) {
        let passed = u128::from(claims) * u128::from(self.ttl_ms) / u128::from(self.in_ttl);
        self.millis.store(BEGIN + u64::try_from(passed).unwrap_or(u64::MAX / 2), Ordering::Relaxed);
    }
}

async fn open(settings: &Settings, time: &Time) -> anyhow::Result<Claims> {
    let claims = Bus::open_with_clock(settings, time.clock())?.claims().await?;
    if claims.is_new() {
        // Nothing came out before: the store is whole.
        claims.restored().await?;
    }
    Ok(claims)
}

struct Filled {
    name: &'static str,
    claims: u64,
    /// Of each tenth that was filled.
    tenths: Vec<Tenth>,
    took: Duration,
}

struct Tenth {
    claims: u64,
    took: Duration,
    /// Processor time of this process, and of the server behind it.
    cpu: Duration,
    server: Duration,
}

impl fmt::Display for Tenth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let claims = self.claims as f64;
        let per_million = |cpu: Duration| cpu.as_secs_f64() * 1e6 / claims;
        write!(
            f,
            "{:.0}/s, {:.1} processor seconds a million",
            claims / self.took.as_secs_f64(),
            per_million(self.cpu)
        )?;
        if self.server.is_zero() { Ok(()) } else { write!(f, " and {:.1} of the server", per_million(self.server)) }
    }
}

async fn fill(
    name: &'static str,
    server: Option<u32>,
    arguments: &Arguments,
    wanted: u64,
    claims: &Claims,
    time: &Time,
    folder: &Path,
) -> anyhow::Result<Filled> {
    let (began, limit) = (Instant::now(), Duration::from_secs(arguments.minutes * 60));
    let (mut done, mut tenths) = (0, Vec::new());
    let (mut tenth, mut shown) = ((began, 0, cpu(server)?), (began, 0));
    let mut events = Events::from(0);
    while done < wanted {
        let batch: Vec<Event> = events.by_ref().take(usize::try_from(arguments.batch.min(wanted - done))?).collect();
        let asked: Vec<_> = batch.iter().map(Event::claim).collect();
        let verdicts = claims.claim(STAGE, &asked).await?;
        ensure!(verdicts.iter().all(|verdict| *verdict == Verdict::First), "a new id was known already");
        done += batch.len() as u64;
        time.set(done);
        if done * 10 / wanted > tenth.1 * 10 / wanted {
            let [cpu, server_cpu] = cpu(server)?;
            tenths.push(Tenth {
                claims: done - tenth.1,
                took: tenth.0.elapsed(),
                cpu: cpu - tenth.2[0],
                server: server_cpu - tenth.2[1],
            });
            tenth = (Instant::now(), done, [cpu, server_cpu]);
        }
        if shown.0.elapsed() >= PROGRESS_EVERY {
            let free = machine::free(folder)?;
            progress(&format!(
                "{name}: {:.1}%, {} claims, {:.0}/s, {} MiB on disk, {} MiB resident, {} s",
                done as f64 * 100.0 / wanted as f64,
                done,
                (done - shown.1) as f64 / seconds(shown.0),
                machine::size(folder)? / MIB,
                machine::resident()? / MIB,
                began.elapsed().as_secs()
            ));
            shown = (Instant::now(), done);
            if free < arguments.leave_free * 1024 * MIB || began.elapsed() > limit {
                progress(&format!("{name}: stopped at {done} of {wanted}: {} MiB of disk are free", free / MIB));
                break;
            }
        }
    }
    Ok(Filled { name, claims: done, tenths, took: began.elapsed() })
}

/// Of this process, and of the server behind it, where there is one.
fn cpu(server: Option<u32>) -> anyhow::Result<[Duration; 2]> {
    Ok([machine::cpu(std::process::id())?, server.map_or(Ok(Duration::ZERO), machine::cpu)?])
}

fn report(filled: &Filled) -> anyhow::Result<()> {
    let (claims, took) = (filled.claims, filled.took.as_secs_f64());
    tell(&format!("{}: {claims} claims in {took:.0} s, {:.0}/s", filled.name, claims as f64 / took))?;
    let ends = filled.tenths.first().zip(filled.tenths.last());
    let (first, last) = ends.context("not a tenth was filled")?;
    tell(&format!("  the first tenth      {first}\n  the last one         {last}"))?;
    tell(&format!("  resident             {} MiB, {} at most", machine::resident()? / MIB, machine::peak()? / MIB))
}

/// One claim at a time: those that are there, at the same place and at another, and those that are not.
async fn looks(claims: &Claims, expired: u64, made: u64) -> anyhow::Result<()> {
    let kinds = [
        ("there, same place", Verdict::Again),
        ("there, a duplicate", Verdict::Duplicate),
        ("not there, claimed", Verdict::First),
    ];
    // The oldest of those that are there expires with the next that is made.
    let oldest = (expired + LOOKS).min(made - 1);
    for (name, expected) in kinds {
        let mut took = Vec::new();
        for number in 0..LOOKS {
            let there = oldest + events::scattered(number) % (made - oldest);
            let number = if expected == Verdict::First { made + number } else { there };
            let mut event = Event::of(number);
            if expected == Verdict::Duplicate {
                event.at.offset += 1_000_000_000;
            }
            let began = Instant::now();
            let verdicts = claims.claim(STAGE, &[event.claim()]).await?;
            took.push(began.elapsed());
            if verdicts != [expected] {
                bail!("claim {number} was {verdicts:?} and should have been {expected:?}");
            }
        }
        took.sort_unstable();
        let at = |part: usize| took.get(took.len() * part / 100).map_or(0, Duration::as_micros);
        tell(&format!("  {name:20} p50 {} µs, p99 {} µs", at(50), at(99)))?;
    }
    Ok(())
}

/// The size once nothing is put in order any more: compactions go on after the last claim.
fn settled(folder: &Path) -> anyhow::Result<u64> {
    let mut last = (0, Instant::now());
    wait::until("the end of the compactions", Duration::from_secs(600), || {
        let size = machine::size(folder)?;
        if size != last.0 {
            last = (size, Instant::now());
        }
        Ok((last.1.elapsed() > SETTLED).then_some(size))
    })
}

/// A number that INFO tells.
fn info(server: &Redis, section: &str, field: &str) -> anyhow::Result<u64> {
    let script = format!("return tonumber(redis.call('INFO','{section}'):match('{field}:(%d+)'))");
    let answer = server.ask(&format!("EVAL \"{script}\" 0"))?;
    answer.strip_prefix(':').and_then(|number| number.parse().ok()).with_context(|| format!("{field}: {answer}"))
}

/// Waits for a rewrite of the append-only file that runs.
fn rewritten(server: &Redis) -> anyhow::Result<()> {
    wait::until("the rewrite of the append-only file", Duration::from_secs(600), || {
        let busy = info(server, "persistence", "aof_rewrite_in_progress")? > 0
            || info(server, "persistence", "aof_rewrite_scheduled")? > 0;
        Ok((!busy).then_some(()))
    })
}

fn per_id(bytes: u64, claims: u64) -> String {
    format!("{} MiB, {:.1} bytes an id", bytes / MIB, bytes as f64 / claims as f64)
}

fn seconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64()
}

fn tell(line: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{line}").context("print")
}

fn progress(line: &str) {
    // Nobody reads it: nothing is left to be done.
    let _ = writeln!(std::io::stderr(), "{line}");
}
