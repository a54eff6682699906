//! Apache Spark with Delta Lake, which reads the lake's tables as most who have many of them do.
//!
//! `make spark-jars` downloads it to `target/spark`; `tests/spark/Ask.java` asks it, on loopback and within its own process.

use std::io::{BufRead as _, BufReader, PipeWriter, Write as _, pipe};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;
use std::{fs, str, thread};

use anyhow::{Context, anyhow, bail};
use serde_json::{Value, json};

use crate::child::{self, Child, append_to, last_lines};
use crate::environment::{find_java, workspace};
use crate::scratch::Scratch;

/// Of some queries, on a machine that has much else to do.
const ANSWERS_WITHIN: Duration = Duration::from_secs(300);

/// A session. Dropping it ends it.
#[derive(Debug)]
pub struct Spark {
    talk: Mutex<(PipeWriter, Receiver<String>)>,
    _process: Child,
    scratch: Scratch,
}

impl Spark {
    /// Starts one; it answers when it is ready.
    ///
    /// # Errors
    /// Java or the jars are missing.
    pub fn start() -> anyhow::Result<Self> {
        let jars = workspace().join("target/spark");
        if !jars.join(".complete").exists() {
            bail!("no Apache Spark in {}: run `make spark-jars`", jars.display());
        }
        let (java, sources, scratch) = (find_java()?, workspace().join("tests/spark"), Scratch::new("spark")?);
        let (of_child, to_child) = pipe()?;
        let (from_child, by_child) = pipe()?;
        // It takes the processors that the tests leave: some tests measure what Weir takes of them.
        let mut command = child::command("nice");
        command.args(["-n", "19"]).arg(java);
        // As the broker of the tests, it lives for seconds.
        command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xmx768m"]);
        command.arg(format!("-Djava.io.tmpdir={}", scratch.path().display()));
        command.arg(format!("-Dlog4j2.configurationFile={}", sources.join("log4j2.properties").display()));
        command.arg("-cp").arg(jars.join("*")).arg(sources.join("Ask.java")).arg(scratch.path().join("warehouse"));
        // Otherwise it looks for another address of this machine.
        command.env("SPARK_LOCAL_IP", "127.0.0.1").current_dir(scratch.path());
        command.stdin(of_child).stdout(by_child).stderr(append_to(&log_of(&scratch))?);
        let process = Child::spawn("Spark", command)?;
        let (answer, answers) = channel();
        // It ends with the process.
        thread::spawn(move || {
            for line in BufReader::new(from_child).lines().map_while(Result::ok) {
                if answer.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { talk: Mutex::new((to_child, answers)), _process: process, scratch })
    }

    /// What each query has over the Delta table at `location`: rows of values, or a text where it failed. In a query the table
    /// is `activities`.
    ///
    /// # Errors
    /// Spark is gone, or does not answer; then with the last lines of its log.
    pub fn ask(&self, location: &str, queries: &[&str]) -> anyhow::Result<Vec<Value>> {
        let mut talk = self.talk.lock().unwrap_or_else(PoisonError::into_inner);
        let (to, from) = &mut *talk;
        let failed = |what: &str| anyhow!("Spark {what}:\n{}", last_lines(&log_of(&self.scratch), 20));
        writeln!(to, "{}", json!({ "table": location, "queries": queries })).map_err(|_| failed("ended"))?;
        let answer = from.recv_timeout(ANSWERS_WITHIN).map_err(|error| match error {
            RecvTimeoutError::Timeout => failed("does not answer"),
            RecvTimeoutError::Disconnected => failed("ended"),
        })?;
        serde_json::from_str(&answer).with_context(|| answer.clone())
    }

    /// What it warned of while it read tables and their files.
    ///
    /// # Errors
    /// Its log cannot be read.
    pub fn warnings(&self) -> anyhow::Result<Vec<String>> {
        let log = fs::read(log_of(&self.scratch))?;
        let of_tables = ["org.apache.parquet.", "org.apache.spark.sql.delta.", "io.delta."];
        let is_of_tables = |line: &&str| {
            let logger = line.strip_prefix("WARN ").or_else(|| line.strip_prefix("ERROR "));
            logger.is_some_and(|logger| of_tables.iter().any(|package| logger.starts_with(package)))
        };
        Ok(String::from_utf8_lossy(&log).lines().filter(is_of_tables).map(str::to_owned).collect())
    }
}

fn log_of(scratch: &Scratch) -> PathBuf {
    scratch.path().join("spark.log")
}

/// The session that all tests of this test binary use; the first call starts it.
///
/// # Errors
/// As [`Spark::start`]; the same for each call.
pub fn shared() -> anyhow::Result<&'static Spark> {
    static SHARED: OnceLock<Result<Spark, String>> = OnceLock::new();
    let started = SHARED.get_or_init(|| Spark::start().map_err(|error| format!("{error:#}")));
    started.as_ref().map_err(|error| anyhow!("{error}"))
}
