//! The consumer that stands on the page for subscribers, as it stands there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use bus::Stored;
use weir_tests::child::{self, Child, append_to, last_lines};
use weir_tests::environment::workspace;
use weir_tests::scratch::Scratch;
use weir_tests::{python, wait};

use crate::records::{Encoded, normal};
use crate::runtimes::released;

const WITHIN: Duration = Duration::from_secs(60);
/// What is read at first, and what is read besides when the consumer is started again.
const TOPICS: [&str; 3] = ["activities.enriched", "events.github.push", "events.facebook.comment"];
const LATER: &str = "registrations";

/// The page's program.
fn program() -> String {
    let page = std::fs::read_to_string(workspace().join("docs/subscribers.md")).unwrap();
    let (_, code) = page.split_once("```python\n").expect("the page has a program in Python");
    code.split_once("```").unwrap().0.to_owned()
}

/// One line for each record: its id, its topic and its message.
fn lines(prefix: &str, records: &BTreeMap<String, Vec<Stored>>, topics: &[&str]) -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for topic in topics {
        for record in &records[*topic] {
            lines.insert(format!("{} {prefix}{topic} {}", record.headers.id, Encoded::of(record).json()));
        }
    }
    lines
}

/// It reads all records of its topics; and when it is started again what it has not read.
pub(crate) fn reads(brokers: &str, prefix: &str, records: &BTreeMap<String, Vec<Stored>>) {
    let folder = Scratch::new("consumer").unwrap();
    let expected = lines(prefix, records, &TOPICS);
    assert!(expected.len() > 50, "{} records", expected.len());
    assert_eq!(run(folder.path(), brokers, prefix, &TOPICS, expected.len()), expected);

    let topics = [&TOPICS[..], &[LATER]].concat();
    let expected = lines(prefix, records, &[LATER]);
    assert_eq!(run(folder.path(), brokers, prefix, &topics, expected.len()), expected);
}

/// What it prints, as soon as these are so many lines; it is ended as a container is.
fn run(folder: &Path, brokers: &str, prefix: &str, topics: &[&str], count: usize) -> BTreeSet<String> {
    let path = folder.join("consumer.py");
    std::fs::write(&path, program()).unwrap();
    let (out, errors) = (folder.join(format!("{}.out", topics.len())), folder.join("errors"));
    let mut command = child::command(python::interpreter().unwrap());
    command.arg(path).arg(brokers).arg(released()).args(topics.iter().map(|topic| format!("{prefix}{topic}")));
    command.stdin(Stdio::null()).stdout(append_to(&out).unwrap()).stderr(append_to(&errors).unwrap());
    let consumer = Child::spawn("the consumer", command).unwrap();
    let read = wait::until("the records", WITHIN, || {
        anyhow::ensure!(consumer.exited()?.is_none(), "the consumer ended: {}", last_lines(&errors, 20));
        let read = printed(&out)?;
        Ok((read.len() >= count).then_some(()))
    });
    read.unwrap();
    let status = consumer.stop(WITHIN).unwrap();
    assert!(status.success(), "{status}: {}", last_lines(&errors, 20));
    printed(&out).unwrap().into_iter().collect()
}

/// The whole lines of a file, with their JSON as Weir prints it.
fn printed(out: &PathBuf) -> anyhow::Result<Vec<String>> {
    let text = std::fs::read_to_string(out)?;
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    let line = |line: &str| {
        let (about, json) = line.split_at(line.find('{').unwrap_or(line.len()));
        Ok(format!("{about}{}", normal(serde_json::from_str(json)?)))
    };
    whole.lines().map(line).collect()
}
