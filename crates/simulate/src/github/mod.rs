//! What people and machines do on GitHub.

use std::sync::Arc;

use common::activity::v1::Verb;
use fastrand::Rng;

use crate::meaning::{Expected, ExpectedActivity};
use crate::text::{PHRASES, Person, push_json, push_rfc3339, put};
use crate::world::{Counter, Memory};

/// A repository and what is going on in it.
#[derive(Debug)]
pub(super) struct Repository {
    /// The platform's name of it, owner and name.
    pub(super) full_name: Arc<str>,
    /// The `repository` member of its events, up to the time of the last push.
    json: String,
    id: Arc<str>,
    tenant: Arc<str>,
    open: Memory<Issue>,
    closed: Memory<Issue>,
    pulls: Memory<Issue>,
    comments: Memory<Comment>,
    runs: Memory<Run>,
    jobs: Memory<Run>,
    stars: Memory<u64>,
}

#[derive(Debug, Clone, Copy)]
struct Issue {
    id: u64,
    author: u64,
    created_ms: i64,
    /// The head of a pull request.
    sha: u64,
}

#[derive(Debug, Clone, Copy)]
struct Comment {
    issue: Issue,
    id: u64,
    author: u64,
    created_ms: i64,
    edited: bool,
}

#[derive(Debug, Clone, Copy)]
struct Run {
    id: u64,
    /// The run of a job.
    run: u64,
    author: u64,
    created_ms: i64,
    started: bool,
}

/// One event, before its envelope.
struct GitHubEvent {
    /// The `X-GitHub-Event` header.
    pub(super) kind: &'static str,
    pub(super) json: String,
    pub(super) expected: Arc<Expected>,
}

/// What happened, when all but the common members is written.
struct Act {
    kind: &'static str,
    topic: &'static str,
    sender: Person,
    /// Members of the payload, with a comma at the end.
    json: String,
    key: String,
    occurred: bool,
    verb: Verb,
    object: String,
    text: Option<String>,
}

/// Where and when the next thing happens.
struct GitHubScene<'a> {
    pub(super) repository: &'a mut Repository,
    pub(super) counter: &'a mut Counter,
    pub(super) rng: &'a mut Rng,
    pub(super) now_ms: i64,
}

impl Repository {
    pub(super) fn new(index: u32, tenant: Arc<str>) -> Self {
        let owner = ["tern-labs", "mill-works", "north-dock"][(index % 3) as usize];
        let name = format!("{}-{index}", ["tide", "sluice", "lock", "ferry"][(index / 3 % 4) as usize]);
        let full_name: Arc<str> = format!("{owner}/{name}").into();
        let id: Arc<str> = (520_000_000 + u64::from(index) * 613).to_string().into();
        let owner_id = 9_100_000 + index % 3;
        let json = format!(
            r#""repository":{{"id":{id},"node_id":"R_{id}","name":"{name}","full_name":"{full_name}","private":false,"owner":{{"login":"{owner}","id":{owner_id},"node_id":"O_{owner_id}","html_url":"https://github.com/{owner}","type":"Organization","site_admin":false}},"html_url":"https://github.com/{full_name}","description":null,"fork":false,"url":"https://api.github.com/repos/{full_name}","created_at":"2024-03-01T08:00:00Z","updated_at":"2026-01-15T12:30:00Z","size":1834,"stargazers_count":421,"language":"Rust","archived":false,"open_issues_count":17,"license":{{"key":"apache-2.0","name":"Apache License 2.0","spdx_id":"Apache-2.0"}},"topics":["events","water"],"visibility":"public","default_branch":"main","pushed_at":"#
        );
        Self {
            full_name,
            json,
            id,
            tenant,
            open: Memory::new(),
            closed: Memory::new(),
            pulls: Memory::new(),
            comments: Memory::new(),
            runs: Memory::new(),
            jobs: Memory::new(),
            stars: Memory::new(),
        }
    }
}

impl GitHubScene<'_> {
    /// The next thing in the repository.
    fn event(mut self) -> GitHubEvent {
        let act = match self.rng.u32(..100) {
            0..18 => None,
            18..28 => Some(self.issue_opened()),
            28..34 => self.issue_closed(),
            34..36 => self.issue_reopened(),
            36..48 => self.comment_created(),
            48..51 => self.comment_changed(true),
            51..53 => self.comment_changed(false),
            53..60 => Some(self.pull_opened()),
            60..64 => self.pull_synchronized(),
            64..69 => self.pull_closed(),
            69..79 => Some(self.run()),
            79..92 => Some(self.job()),
            92..98 => Some(self.starred()),
            _ => self.unstarred(),
        };
        let act = act.unwrap_or_else(|| self.push());
        self.finish(act)
    }

    fn finish(self, act: Act) -> GitHubEvent {
        let Act { kind, topic, sender, mut json, key, occurred, verb, object, text } = act;
        json.insert(0, '{');
        json.push_str(&self.repository.json);
        self.push_now(&mut json);
        json.push_str(r#"},"sender":"#);
        push_user(&mut json, sender);
        json.push('}');
        let activity = ExpectedActivity { verb, actor: sender.id().to_string(), object, text };
        let expected = Expected {
            platform: "github",
            topic,
            tenant: self.repository.tenant.clone(),
            account: self.repository.id.clone(),
            key: format!("github/{}/{key}", self.repository.full_name),
            occurred_at_ms: occurred.then_some(self.now_ms.div_euclid(1000) * 1000),
            activities: vec![activity],
        };
        GitHubEvent { kind, json, expected: Arc::new(expected) }
    }

    fn person(&mut self) -> Person {
        Person::for_act(self.counter.next())
    }

    fn phrase(&mut self) -> &'static str {
        PHRASES[self.rng.usize(..PHRASES.len())]
    }

    fn push(&mut self) -> Act {
        let (before, after, author, message) = (self.counter.next(), self.counter.next(), self.person(), self.phrase());
        let (before, after) = (sha(before), sha(after));
        let name = &self.repository.full_name;
        let mut commit = format!(r#"{{"id":"{after}","tree_id":"{before}","distinct":true,"message":"#);
        push_json(&mut commit, message);
        commit.push_str(r#","timestamp":"#);
        self.push_now(&mut commit);
        put!(commit, r#","url":"https://github.com/{name}/commit/{after}","author":{{"name":""#);
        author.push_name(&mut commit);
        commit.push_str(r#"","email":"author@example.com","username":""#);
        author.push_handle(&mut commit);
        commit.push_str(r#""},"added":["src/gate.rs"],"removed":[],"modified":["README.md"]}"#);
        let mut json = String::with_capacity(2048);
        put!(json, r#""ref":"refs/heads/main","before":"{before}","after":"{after}","created":false,"#);
        put!(json, r#""deleted":false,"forced":false,"base_ref":null,"#);
        put!(json, r#""compare":"https://github.com/{name}/compare/{before}...{after}","#);
        put!(json, r#""commits":[{commit}],"head_commit":{commit},"pusher":{{"name":""#);
        author.push_handle(&mut json);
        json.push_str(r#"","email":"author@example.com"},"#);
        Act {
            kind: "push",
            topic: "events.github.push",
            sender: author,
            json,
            key: format!("push/{after}"),
            occurred: true,
            verb: Verb::Push,
            object: format!("{}:refs/heads/main", self.repository.id),
            text: Some(message.to_owned()),
        }
    }

    fn issue_opened(&mut self) -> Act {
        let issue = self.new_issue();
        self.repository.open.push(issue);
        self.issue_act(issue, "opened", Verb::Open)
    }

    fn issue_closed(&mut self) -> Option<Act> {
        let issue = self.repository.open.take(self.rng)?;
        self.repository.closed.push(issue);
        Some(self.issue_act(issue, "closed", Verb::Close))
    }

    fn issue_reopened(&mut self) -> Option<Act> {
        // It is not closed a second time: each act on an issue has its own key, however fast time goes.
        let issue = self.repository.closed.take(self.rng)?;
        Some(self.issue_act(issue, "reopened", Verb::Reopen))
    }

    fn new_issue(&mut self) -> Issue {
        let id = self.counter.next();
        Issue { id, author: self.person().0, created_ms: self.now_ms, sha: self.counter.next() }
    }

    fn issue_act(&mut self, issue: Issue, action: &'static str, verb: Verb) -> Act {
        let sender = if action == "opened" { Person(issue.author) } else { self.person() };
        let mut json = format!(r#""action":"{action}","issue":"#);
        self.push_issue(&mut json, issue, action == "closed");
        json.push(',');
        Act {
            kind: "issues",
            topic: "events.github.issues",
            sender,
            json,
            key: format!("issues/{}/{action}", issue_id(issue.id)),
            occurred: true,
            verb,
            object: self.numbered(issue),
            text: (action == "opened").then(|| body_of(issue).to_owned()),
        }
    }

    /// The id of an issue or pull request in an activity.
    fn numbered(&self, issue: Issue) -> String {
        format!("{}#{}", self.repository.id, shown_number(issue.id))
    }

    fn push_issue(&self, json: &mut String, issue: Issue, closed: bool) {
        let name = &self.repository.full_name;
        let (id, number) = (issue_id(issue.id), shown_number(issue.id));
        put!(json, r#"{{"url":"https://api.github.com/repos/{name}/issues/{number}","id":{id},"node_id":"I_{id}","#);
        put!(json, r#""html_url":"https://github.com/{name}/issues/{number}","number":{number},"title":"#);
        push_json(json, title_of(issue));
        json.push_str(r#","user":"#);
        push_user(json, Person(issue.author));
        json.push_str(r#","labels":[{"id":208045946,"name":"bug","color":"d73a4a","default":true}],"state":"#);
        json.push_str(if closed { r#""closed","state_reason":"completed""# } else { r#""open","state_reason":null"# });
        json.push_str(r#","locked":false,"assignee":null,"assignees":[],"milestone":null,"comments":3,"created_at":"#);
        push_time(json, issue.created_ms);
        json.push_str(r#","updated_at":"#);
        self.push_now(json);
        json.push_str(r#","closed_at":"#);
        if closed {
            self.push_now(json)
        } else {
            json.push_str("null")
        }
        json.push_str(r#","author_association":"CONTRIBUTOR","body":"#);
        push_json(json, body_of(issue));
        json.push('}');
    }

    fn comment_created(&mut self) -> Option<Act> {
        let issue = *self.repository.open.pick(self.rng)?;
        let id = self.counter.next();
        let comment = Comment { issue, id, author: self.person().0, created_ms: self.now_ms, edited: false };
        self.repository.comments.push(comment);
        let text = self.phrase();
        Some(self.comment_act(comment, "created", Verb::Comment, text))
    }

    fn comment_changed(&mut self, edit: bool) -> Option<Act> {
        let text = self.phrase();
        if !edit {
            let comment = self.repository.comments.take(self.rng)?;
            return Some(self.comment_act(comment, "deleted", Verb::Delete, text));
        }
        let comment = self.repository.comments.pick(self.rng)?;
        if std::mem::replace(&mut comment.edited, true) {
            return None;
        }
        let comment = *comment;
        Some(self.comment_act(comment, "edited", Verb::Edit, text))
    }

    fn comment_act(&mut self, comment: Comment, action: &'static str, verb: Verb, text: &str) -> Act {
        let Comment { issue, id, author, .. } = comment;
        let name = &self.repository.full_name;
        let id = comment_id(id);
        let mut json = format!(r#""action":"{action}","issue":"#);
        self.push_issue(&mut json, issue, false);
        put!(json, r#","comment":{{"url":"https://api.github.com/repos/{name}/issues/comments/{id}","#);
        put!(
            json,
            r#""html_url":"https://github.com/{name}/issues/{}#issuecomment-{id}","id":{id},"#,
            shown_number(issue.id)
        );
        put!(json, r#""node_id":"IC_{id}","user":"#);
        push_user(&mut json, Person(author));
        json.push_str(r#","created_at":"#);
        push_time(&mut json, if action == "created" { self.now_ms } else { comment.created_ms });
        json.push_str(r#","updated_at":"#);
        self.push_now(&mut json);
        json.push_str(r#","author_association":"NONE","body":"#);
        push_json(&mut json, text);
        json.push_str("},");
        if action == "edited" {
            json.push_str(r#""changes":{"body":{"from":"what it said before"}},"#);
        }
        Act {
            kind: "issue_comment",
            topic: "events.github.issue_comment",
            sender: Person(author),
            json,
            key: format!("issue_comment/{id}/{action}"),
            // What is gone does not say when it went, and its words are not said again.
            occurred: action != "deleted",
            verb,
            object: id.to_string(),
            text: (action != "deleted").then(|| text.to_owned()),
        }
    }
}

/// What people call it: short, and so not for ever another one.
fn shown_number(number: u64) -> u64 {
    number % 100_000
}

fn issue_id(number: u64) -> u64 {
    2_400_000_000 + number
}

fn comment_id(number: u64) -> u64 {
    1_900_000_000 + number
}

fn title_of(issue: Issue) -> &'static str {
    PHRASES[(issue.id % 16) as usize]
}

fn body_of(issue: Issue) -> &'static str {
    PHRASES[(issue.author % 16) as usize]
}

fn push_user(json: &mut String, person: Person) {
    let id = person.id();
    json.push_str(r#"{"login":""#);
    person.push_handle(json);
    put!(json, r#"","id":{id},"node_id":"U_{id}","html_url":"https://github.com/"#);
    person.push_handle(json);
    json.push_str(r#"","type":"User","site_admin":false}"#);
}

fn push_time(json: &mut String, ms: i64) {
    json.push('"');
    push_rfc3339(json, ms);
    json.push('"');
}

/// A commit's name: no two numbers have the same.
fn sha(number: u64) -> String {
    format!("{:016x}{:024x}", mixed(number), number)
}

/// The number of a delivery as GitHub's header has it.
fn delivery_id(number: u64, seed: u64) -> String {
    let (high, low) = (mixed(number ^ seed.rotate_left(32)), mixed(number));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        high >> 16 & 0xffff,
        high & 0xfff,
        0x8000 | low >> 48 & 0x3fff,
        low & 0xffff_ffff_ffff
    )
}

/// A permutation of all numbers that leaves no pattern to see (SplitMix64's).
fn mixed(number: u64) -> u64 {
    let mut z = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ z >> 31
}

mod work;
mod world;

pub(crate) use world::SENDER;
