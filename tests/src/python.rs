//! Python, for what is best seen from outside: a table read by an engine that is not ours, and a store that speaks S3.
//!
//! `scripts/install.sh test` makes the environment `target/python` with the packages that are needed.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context, anyhow, bail};

use crate::child::{self, Child, append_to, last_lines};
use crate::scratch::Scratch;
use crate::{ports, wait};

const START_WITHIN: Duration = Duration::from_secs(60);

/// Answers one request after the other: what looks whether an object is there and then writes it cannot be overtaken, so
/// that of two that create the same object one is refused, as the real thing does.
const STORE: &str = "
import sys
from werkzeug.serving import run_simple
from moto.server import DomainDispatcherApplication, create_backend_app
run_simple('127.0.0.1', int(sys.argv[1]), DomainDispatcherApplication(create_backend_app), threaded=False)
";

/// Prints the rows that a query over the table `t` has, as JSON.
const QUERY: &str = "
import json, sys
from deltalake import DeltaTable, QueryBuilder
where, query, options = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
table = DeltaTable(where, storage_options=options)
batches = QueryBuilder().register('t', table).execute(query).read_all()
columns = {name: batches[name].to_pylist() for name in batches.schema.names}
count = len(next(iter(columns.values()))) if columns else 0
print(json.dumps([{name: values[n] for name, values in columns.items()} for n in range(count)], default=str))
";

/// Reads a table with every reader and every filter that it is given; prints what each found, as JSON.
pub const READERS: &str = include_str!("python/readers.py");

/// Runs queries over a table in three engines; prints what each found, as JSON.
pub const QUERIES: &str = include_str!("python/queries.py");

/// The interpreter with the packages.
///
/// # Errors
/// It is not there.
pub fn interpreter() -> anyhow::Result<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python");
    if !path.exists() {
        bail!("{} is not there: make it with scripts/install.sh test", path.display());
    }
    Ok(path)
}

/// The rows that a query has, as JSON, over the Delta table `t` at `location`; `options` are those of its store.
///
/// # Errors
/// The interpreter is missing, or the table cannot be read; then with what it said.
pub fn query_table(location: &str, query: &str, options: &[(&str, &str)]) -> anyhow::Result<String> {
    let options: String = options.iter().map(|(key, value)| format!("{key:?}:{value:?}")).collect::<Vec<_>>().join(",");
    script(QUERY, &[location, query, &format!("{{{options}}}")]).with_context(|| format!("{query} at {location}"))
}

/// What a script prints.
///
/// # Errors
/// The interpreter is missing, or the script fails; then with what it said.
pub fn script(script: &str, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = child::command(interpreter()?);
    command.args(["-c", script]).args(arguments).stdin(Stdio::null());
    let output = command.output().context("start Python")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A store that speaks S3, on loopback; it keeps its objects in memory and takes any key. Dropping it ends it.
#[derive(Debug)]
pub struct S3 {
    port: u16,
    server: Child,
    _scratch: Scratch,
}

impl S3 {
    /// Starts it and waits until it answers.
    ///
    /// # Errors
    /// The interpreter is missing or the server does not start; then with the last lines of its log.
    pub fn start() -> anyhow::Result<Self> {
        let scratch = Scratch::new("s3")?;
        let port = ports::free()?;
        let log_path = scratch.path().join("s3.log");
        let log = append_to(&log_path)?;
        let mut command = child::command(interpreter()?);
        command.args(["-c", STORE, &port.to_string()]);
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let server = Child::spawn("the S3 server", command)?;
        wait::until("the S3 server", START_WITHIN, || {
            if let Some(status) = server.exited()? {
                bail!("the S3 server ended ({status}):\n{}", last_lines(&log_path, 20));
            }
            Ok(ports::answers(port).then_some(()))
        })?;
        Ok(Self { port, server, _scratch: scratch })
    }

    /// "http://127.0.0.1:port".
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The id of its process.
    pub fn pid(&self) -> u32 {
        self.server.pid()
    }

    /// Makes a bucket.
    ///
    /// # Errors
    /// The server refuses it.
    pub fn make_bucket(&self, bucket: &str) -> anyhow::Result<()> {
        let script = "
import sys, urllib.request
urllib.request.urlopen(urllib.request.Request(sys.argv[1], method='PUT', headers={'Authorization': \
            'AWS4-HMAC-SHA256 Credential=any/20260101/us-east-1/s3/aws4_request'}))
";
        let output = child::command(interpreter()?)
            .args(["-c", script, &format!("{}/{bucket}", self.endpoint())])
            .stdin(Stdio::null())
            .output()
            .context("start Python")?;
        if !output.status.success() {
            bail!("make the bucket {bucket}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    }
}

/// The store that all tests of this test binary use; the first call starts it.
///
/// # Errors
/// As [`S3::start`]; the same for each call.
pub fn shared_s3() -> anyhow::Result<&'static S3> {
    static SHARED: OnceLock<Result<S3, String>> = OnceLock::new();
    let started = SHARED.get_or_init(|| S3::start().map_err(|error| format!("{error:#}")));
    started.as_ref().map_err(|error| anyhow!("{error}"))
}
