//! Real deliveries, as platforms sent them; they are not part of the repository ([`crate::data`]).

#![expect(clippy::unwrap_used, reason = "what a test relies on fails it by panicking")]

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use serde_json::Value;

use crate::{data, github};

/// One delivery.
#[derive(Clone, Debug)]
pub struct Real {
    /// What it is, for messages.
    pub name: String,
    /// The source, and the name of its endpoint.
    pub endpoint: &'static str,
    /// The platform's own, without a signature.
    pub headers: Vec<(&'static str, String)>,
    /// JSON.
    pub body: Bytes,
}

impl Real {
    /// A request with it to the door at `base`, "http://127.0.0.1:8080". Meta signs as GitHub does.
    pub fn to(&self, base: &str, secret: &str) -> Request<Full<Bytes>> {
        let request = Request::post(format!("{base}/webhooks/{}", self.endpoint))
            .header("content-type", "application/json")
            .header(github::SIGNATURE, github::signature(secret, &self.body));
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value));
        request.body(Full::new(self.body.clone())).unwrap()
    }
}

/// All that there are: none without the folder, which is then said.
pub fn all() -> Vec<Real> {
    let meta = data::folder("meta_webhooks").map(|folder| of_meta(&folder));
    let github = data::folder("github_webhooks").map(|folder| of_octokit(&folder));
    meta.into_iter().chain(github).flatten().collect()
}

/// A delivery of GitHub, with the number of which its id is made.
pub fn of_github(number: usize, event: &str, name: String, body: Bytes) -> Real {
    let id = format!("00000000-0000-0000-0000-{number:012}");
    let headers = vec![("x-github-event", event.to_owned()), ("x-github-delivery", id)];
    Real { name, endpoint: "github", headers, body }
}

fn of_meta(folder: &Path) -> Vec<Real> {
    fn files(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "json") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    files(folder, &mut found);
    found.sort();
    let real = |path: PathBuf| Real {
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        endpoint: "meta",
        headers: Vec::new(),
        body: std::fs::read(path).unwrap().into(),
    };
    found.into_iter().map(real).collect()
}

fn of_octokit(folder: &Path) -> Vec<Real> {
    let lines = std::fs::read_to_string(folder.join("octokit_examples.jsonl")).unwrap();
    let real = |(number, line): (usize, &str)| {
        let example: Value = serde_json::from_str(line).unwrap();
        let event = example["event"].as_str().unwrap();
        let name = format!("{event} {} (line {})", example["action"], number + 1);
        of_github(number + 1000, event, name, example["payload"].to_string().into())
    };
    lines.lines().filter(|line| !line.is_empty()).enumerate().map(real).collect()
}
