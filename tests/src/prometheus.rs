//! A Prometheus server, of the program that `scripts/install.sh test` unpacks beside [`promtool`](crate::promtool).

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::child::{self, Child, last_lines};
use crate::scratch::Scratch;
use crate::{ports, promtool, wait};

const START_WITHIN: Duration = Duration::from_secs(60);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// How it is started.
#[derive(Clone, Debug)]
pub struct Options<'a> {
    /// The addresses of admin servers, "127.0.0.1:8081". Who is not there is asked again and again.
    pub targets: Vec<&'a str>,
    /// What a cluster adds to each series, as ("namespace", "weir").
    pub labels: Vec<(&'a str, &'a str)>,
    /// The text of a file of rules.
    pub rules: &'a str,
    /// How often it asks and judges, in milliseconds.
    pub interval_ms: u32,
}

/// A server on loopback. Dropping it kills it.
#[derive(Debug)]
pub struct Prometheus {
    address: String,
    _child: Child,
    _scratch: Scratch,
}

impl Prometheus {
    /// Starts it, and waits until it answers.
    ///
    /// # Errors
    /// The program is not there or does not start; then with the last lines of its log.
    pub fn start(options: &Options<'_>) -> anyhow::Result<Self> {
        let program = promtool::program()?.with_file_name("prometheus");
        if !program.exists() {
            bail!("{} is not there: make it with scripts/install.sh test", program.display());
        }
        let scratch = Scratch::new("prometheus")?;
        let at = |name: &str| scratch.path().join(name);
        fs::write(at("rules.yaml"), options.rules)?;
        fs::write(at("prometheus.yaml"), configuration(options))?;
        let address = format!("127.0.0.1:{}", ports::free()?);
        let log = File::create(at("prometheus.log"))?;
        let mut command = child::command(program);
        command
            .arg(format!("--config.file={}", at("prometheus.yaml").display()))
            .arg(format!("--storage.tsdb.path={}", at("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .current_dir(scratch.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        let child = Child::spawn("prometheus", command)?;
        wait::until("Prometheus is ready", START_WITHIN, || {
            if let Some(status) = child.exited()? {
                bail!("it ended ({status}):\n{}", last_lines(&at("prometheus.log"), 10));
            }
            Ok(get(&address, "/-/ready").is_ok_and(|(status, _)| status == 200).then_some(()))
        })?;
        Ok(Self { address, _child: child, _scratch: scratch })
    }

    /// What an expression is now: a series each, with its labels.
    ///
    /// # Errors
    /// Prometheus does not take the expression, and says why; or it does not answer.
    pub fn query(&self, expr: &str) -> anyhow::Result<Vec<Value>> {
        let data = self.ask(&format!("/api/v1/query?query={}", encoded(expr)))?;
        Ok(data["result"].as_array().cloned().unwrap_or_default())
    }

    /// The labels of each series that a selector meets, as ever scraped.
    ///
    /// # Errors
    /// As [`Prometheus::query`].
    pub fn series(&self, selector: &str) -> anyhow::Result<Vec<Value>> {
        let data = self.ask(&format!("/api/v1/series?match[]={}", encoded(selector)))?;
        Ok(data.as_array().cloned().unwrap_or_default())
    }

    /// The alerts that it would tell now: the label alertname of each that fires, with its other labels.
    ///
    /// # Errors
    /// It does not answer.
    pub fn firing(&self) -> anyhow::Result<Vec<(String, Value)>> {
        let data = self.ask("/api/v1/alerts")?;
        let alerts = data["alerts"].as_array().into_iter().flatten().filter(|alert| alert["state"] == "firing");
        let named = |alert: &Value| {
            (alert["labels"]["alertname"].as_str().unwrap_or_default().to_owned(), alert["labels"].clone())
        };
        Ok(alerts.map(named).collect())
    }

    fn ask(&self, path: &str) -> anyhow::Result<Value> {
        let (status, body) = get(&self.address, path)?;
        let mut answer: Value = serde_json::from_str(&body).with_context(|| format!("{status}: {body}"))?;
        if answer["status"] != "success" {
            bail!("{}", answer["error"].as_str().unwrap_or(&body));
        }
        Ok(answer["data"].take())
    }
}

fn configuration(options: &Options<'_>) -> String {
    let Options { targets, labels, interval_ms, .. } = options;
    let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name}: {value}")).collect();
    let targets: Vec<String> = targets.iter().map(|target| format!("'{target}'")).collect();
    format!(
        "global: {{scrape_interval: {interval_ms}ms, scrape_timeout: {interval_ms}ms, evaluation_interval: {interval_ms}ms}}\n\
         rule_files: [rules.yaml]\n\
         scrape_configs:\n  - job_name: weir\n    static_configs:\n      - targets: [{}]\n        labels: {{{}}}\n",
        targets.join(", "),
        labels.join(", ")
    )
}

/// As part of a URL.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

/// By HTTP/1.0, so that the body comes in one piece.
fn get(address: &str, path: &str) -> anyhow::Result<(u16, String)> {
    let mut stream = TcpStream::connect_timeout(&address.parse()?, ANSWER_WITHIN)?;
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    write!(stream, "GET {path} HTTP/1.0\r\nhost: {address}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of its head")?;
    let status = head.split(' ').nth(1).context("the answer has no status")?.parse()?;
    Ok((status, body.to_owned()))
}
