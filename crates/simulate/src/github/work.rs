//! Pull requests, the work of machines, and stars.

use common::activity::v1::Verb;

use super::{Act, GitHubScene, Issue, Run, body_of, push_time, push_user, sha, shown_number, title_of};
use crate::text::{Person, push_json, put};

impl GitHubScene<'_> {
    pub(super) fn push_now(&self, json: &mut String) {
        push_time(json, self.now_ms);
    }

    pub(super) fn pull_opened(&mut self) -> Act {
        let pull = self.new_issue();
        self.repository.pulls.push(pull);
        self.pull_act(pull, "opened", Verb::Open, "open")
    }

    pub(super) fn pull_synchronized(&mut self) -> Option<Act> {
        let sha = self.counter.next();
        let pull = self.repository.pulls.pick(self.rng)?;
        pull.sha = sha;
        let pull = *pull;
        Some(self.pull_act(pull, "synchronize", Verb::Push, "open"))
    }

    pub(super) fn pull_closed(&mut self) -> Option<Act> {
        let pull = self.repository.pulls.take(self.rng)?;
        let verb = if pull.id % 3 == 0 { Verb::Close } else { Verb::Merge };
        Some(self.pull_act(pull, "closed", verb, "closed"))
    }

    fn pull_act(&mut self, pull: Issue, action: &'static str, verb: Verb, state: &str) -> Act {
        let sender = if action == "closed" { self.person() } else { Person(pull.author) };
        let Issue { id: number, author, created_ms, .. } = pull;
        let name = &self.repository.full_name;
        let head = sha(pull.sha);
        let (id, number) = (pull_id(number), shown_number(number));
        let merged = verb == Verb::Merge;
        let mut json = String::with_capacity(3072);
        put!(json, r#""action":"{action}","number":{number},"pull_request":{{"id":{id},"node_id":"PR_{id}","#);
        put!(json, r#""url":"https://api.github.com/repos/{name}/pulls/{number}","#);
        put!(json, r#""html_url":"https://github.com/{name}/pull/{number}","number":{number},"state":"{state}","#);
        json.push_str(r#""locked":false,"title":"#);
        push_json(&mut json, title_of(pull));
        json.push_str(r#","user":"#);
        push_user(&mut json, Person(author));
        json.push_str(r#","body":"#);
        push_json(&mut json, body_of(pull));
        json.push_str(r#","created_at":"#);
        push_time(&mut json, created_ms);
        json.push_str(r#","updated_at":"#);
        self.push_now(&mut json);
        for (member, there) in [("closed_at", action == "closed"), ("merged_at", merged)] {
            put!(json, r#","{member}":"#);
            if there { self.push_now(&mut json) } else { json.push_str("null") }
        }
        put!(json, r#","merged":{merged},"draft":false,"assignee":null,"assignees":[],"requested_reviewers":[],"#);
        put!(json, r#""labels":[],"milestone":null,"head":{{"label":"fork:work","ref":"work","sha":"{head}"}},"#);
        put!(json, r#""base":{{"label":"main","ref":"main","sha":"{}"}},"#, sha(0));
        json.push_str(r#""comments":1,"commits":2,"additions":31,"deletions":4,"changed_files":3},"#);
        let mut key = format!("pull_request/{id}/{action}");
        if action == "synchronize" {
            put!(json, r#""before":"{}","after":"{head}","#, sha(1));
            put!(key, "/{head}");
        }
        Act {
            kind: "pull_request",
            topic: "events.github.pull_request",
            sender,
            json,
            key,
            occurred: true,
            verb,
            object: self.numbered(pull),
            text: (action == "opened").then(|| body_of(pull).to_owned()),
        }
    }

    /// A run of a workflow goes on by one step, or a new one is asked for.
    pub(super) fn run(&mut self) -> Act {
        let (run, action) = match self.next_step(|repository| &mut repository.runs) {
            Some(step) => step,
            None => {
                let id = self.counter.next();
                let run = Run { id, run: id, author: self.person().0, created_ms: self.now_ms, started: false };
                self.repository.runs.push(run);
                (run, "requested")
            }
        };
        let Run { id: number, author, created_ms, .. } = run;
        let name = &self.repository.full_name;
        let id = run_id(number);
        let (status, conclusion) = match action {
            "requested" => ("queued", "null"),
            "in_progress" => ("in_progress", "null"),
            _ => ("completed", conclusion(number)),
        };
        let head = sha(number);
        let mut json = String::with_capacity(3072);
        put!(json, r#""action":"{action}","workflow_run":{{"id":{id},"name":"build","node_id":"WFR_{id}","#);
        put!(json, r#""head_branch":"main","head_sha":"{head}","path":".github/workflows/build.yml","#);
        put!(
            json,
            r#""display_title":"build","run_number":{},"event":"push","status":"{status}","#,
            shown_number(number)
        );
        put!(json, r#""conclusion":{conclusion},"workflow_id":77001,"check_suite_id":{},"#, id + 1);
        put!(json, r#""url":"https://api.github.com/repos/{name}/actions/runs/{id}","#);
        put!(json, r#""html_url":"https://github.com/{name}/actions/runs/{id}","pull_requests":[],"created_at":"#);
        push_time(&mut json, created_ms);
        json.push_str(r#","updated_at":"#);
        self.push_now(&mut json);
        json.push_str(r#","actor":"#);
        push_user(&mut json, Person(author));
        json.push_str(r#","run_attempt":1,"run_started_at":"#);
        push_time(&mut json, created_ms);
        put!(json, r#","head_commit":{{"id":"{head}","tree_id":"{head}","message":"work","timestamp":"#);
        push_time(&mut json, created_ms);
        json.push_str(r#","author":{"name":"A","email":"author@example.com"}}},"#);
        json.push_str(
            r#""workflow":{"id":77001,"name":"build","path":".github/workflows/build.yml","state":"active"},"#,
        );
        Act {
            kind: "workflow_run",
            topic: "events.github.workflow_run",
            sender: Person(author),
            json,
            key: format!("workflow_run/{id}/1/{action}"),
            occurred: true,
            verb: if action == "completed" { Verb::Complete } else { Verb::Start },
            object: id.to_string(),
            text: Some("work".to_owned()),
        }
    }

    /// A job of a run goes on by one step, or a new one is queued.
    pub(super) fn job(&mut self) -> Act {
        let (job, action) = match self.next_step(|repository| &mut repository.jobs) {
            Some(step) => step,
            None => {
                let run = self.repository.runs.pick(self.rng).map_or(1, |run| run.id);
                let id = self.counter.next();
                let job = Run { id, run, author: self.person().0, created_ms: self.now_ms, started: false };
                self.repository.jobs.push(job);
                (job, "queued")
            }
        };
        let Run { id: number, run, author, created_ms, .. } = job;
        let name = &self.repository.full_name;
        let (id, run_id) = (job_id(number), run_id(run));
        let conclusion = if action == "completed" { conclusion(number) } else { "null" };
        let mut json = String::with_capacity(2560);
        put!(json, r#""action":"{action}","workflow_job":{{"id":{id},"run_id":{run_id},"node_id":"CR_{id}","#);
        put!(json, r#""workflow_name":"build","head_branch":"main","run_attempt":1,"head_sha":"{}","#, sha(run));
        put!(json, r#""run_url":"https://api.github.com/repos/{name}/actions/runs/{run_id}","#);
        put!(json, r#""html_url":"https://github.com/{name}/actions/runs/{run_id}/job/{id}","#);
        put!(json, r#""status":"{action}","conclusion":{conclusion},"created_at":"#);
        push_time(&mut json, created_ms);
        json.push_str(r#","started_at":"#);
        // GitHub has a time here even before the job has begun.
        push_time(&mut json, if action == "in_progress" { self.now_ms } else { created_ms });
        json.push_str(r#","completed_at":"#);
        if action == "completed" {
            self.push_now(&mut json)
        } else {
            json.push_str("null")
        }
        json.push_str(r#","name":"test (stable)","steps":["#);
        if action != "queued" {
            put!(
                json,
                r#"{{"name":"Set up job","status":"{action}","conclusion":{conclusion},"number":1,"started_at":"#
            );
            push_time(&mut json, created_ms);
            json.push_str(r#","completed_at":null}"#);
        }
        json.push_str(r#"],"labels":["ubuntu-latest"],"runner_id":"#);
        json.push_str(if action == "queued" {
            r#"null,"runner_name":null,"runner_group_id":null,"runner_group_name":null},"#
        } else {
            r#"5,"runner_name":"runner-5","runner_group_id":2,"runner_group_name":"Default"},"#
        });
        Act {
            kind: "workflow_job",
            topic: "events.github.workflow_job",
            sender: Person(author),
            json,
            key: format!("workflow_job/{id}/1/{action}"),
            occurred: true,
            verb: if action == "completed" { Verb::Complete } else { Verb::Start },
            object: id.to_string(),
            text: None,
        }
    }

    /// What was asked for begins, what began ends; `None` where nothing waits, or something new is due.
    fn next_step(
        &mut self,
        memory: impl Fn(&mut super::Repository) -> &mut crate::world::Memory<Run>,
    ) -> Option<(Run, &'static str)> {
        if self.rng.u32(..3) == 0 {
            return None;
        }
        let run = memory(self.repository).take(self.rng)?;
        if run.started {
            return Some((run, "completed"));
        }
        memory(self.repository).push(Run { started: true, ..run });
        Some((run, "in_progress"))
    }

    pub(super) fn starred(&mut self) -> Act {
        // Somebody who has starred nothing before: GitHub gives a star taken back no time.
        let person = Person(self.counter.next());
        self.repository.stars.push(person.0);
        let mut json = String::from(r#""action":"created","starred_at":"#);
        self.push_now(&mut json);
        self.star_act(person, json, "created", Verb::Follow)
    }

    pub(super) fn unstarred(&mut self) -> Option<Act> {
        let person = self.repository.stars.take(self.rng)?;
        let json = String::from(r#""action":"deleted","starred_at":null"#);
        Some(self.star_act(Person(person), json, "deleted", Verb::Unfollow))
    }

    fn star_act(&self, person: Person, mut json: String, action: &str, verb: Verb) -> Act {
        json.push(',');
        Act {
            kind: "star",
            topic: "events.github.star",
            sender: person,
            json,
            key: format!("star/{}/{action}", person.id()),
            occurred: action == "created",
            verb,
            object: self.repository.id.to_string(),
            text: None,
        }
    }
}

fn pull_id(number: u64) -> u64 {
    1_700_000_000 + number
}

fn run_id(number: u64) -> u64 {
    11_000_000_000 + number
}

fn job_id(number: u64) -> u64 {
    33_000_000_000 + number
}

fn conclusion(number: u64) -> &'static str {
    ["\"success\"", "\"success\"", "\"success\"", "\"failure\"", "\"cancelled\""][(number % 5) as usize]
}
