//! What protects branches and environments.

use common::activity::v1::{Activity, Object, Run, Verb};
use common::github::v1 as proto;
use common::json;

use super::ci::{deployed_branch, deployment, run, run_branch, work};
use super::objects::{In, named, page, repository, thing};
use super::{activity, first, said, text, thing_verb, words};
use crate::kind::Kind;

/// The setting that was changed, where it is one.
fn setting(changes: Option<&String>) -> Option<Object> {
    let changes = json::parse(changes?).ok()?;
    let mut names = changes.as_object()?.keys();
    let (Some(only), None) = (names.next(), names.next()) else { return None };
    Some(Object { title: only.clone(), ..thing("setting", Some(only)) })
}

impl Kind for proto::BranchProtectionRule {
    key!("branch_protection_rule", "rule.id");

    times! {
        "created" => "rule.created_at" "rule.updated_at",
        _ => "rule.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(rule) = &self.rule else { return Vec::new() };
        let verb = thing_verb(said(&self.action));
        let url = |id: &String| page(&self.repository, &format!("settings/branch_protection_rules/{id}"));
        let object = Object {
            url: rule.id.as_ref().map(url).unwrap_or_default(),
            title: text(rule.name.as_ref()),
            status: if verb == Verb::Delete { "deleted" } else { "" }.to_owned(),
            ..thing("branch_protection_rule", rule.id.as_ref())
        };
        vec![Activity {
            instrument: setting(self.changes.as_ref()),
            // A pattern is no branch.
            branch: text(rule.name.as_ref().filter(|name| !name.contains(['*', '?', '[', '\\']))),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

/// What is deployed to. It has a name only.
fn environment(place: In<'_>, name: Option<&String>) -> Option<Object> {
    let name = name.filter(|name| !name.is_empty())?;
    Some(Object { title: name.clone(), ..thing("environment", Some(&named(place, &format!("environment/{name}")))) })
}

/// Who is asked, where it is one.
fn reviewer(asked: &[proto::DeploymentReviewer]) -> Option<Object> {
    let [one] = asked else { return None };
    let who = one.reviewer.as_ref()?;
    let kind = if one.r#type.as_deref() == Some("Team") { "team" } else { "user" };
    Some(Object {
        url: text(who.html_url.as_ref()),
        title: first([&who.login, &who.name]),
        ..thing(kind, who.id.as_ref())
    })
}

impl Kind for proto::DeploymentReview {
    key!("run", "workflow_run.id");

    times! {
        "requested" => "since" "workflow_run.updated_at",
        _ => "workflow_run.updated_at",
    }

    /// The run waits for people, who say yes or no to it. What they said is the action.
    fn activities(&self) -> Vec<Activity> {
        let mut jobs = self.workflow_job_run.iter().chain(&self.workflow_job_runs);
        let name = self.environment.as_ref().or_else(|| jobs.find_map(|job| job.environment.as_ref()));
        let into = environment(&self.repository, name);
        let (object, target) = match (&self.workflow_run, into) {
            (Some(waits), into) => (run(waits), into),
            (None, Some(into)) => (into, None),
            (None, None) => return Vec::new(),
        };
        let (verb, asked) = match said(&self.action) {
            "approved" | "rejected" => (Verb::Review, None),
            _ => (Verb::Update, reviewer(&self.reviewers)),
        };
        let waits = self.workflow_run.as_ref();
        let sender = if self.sender.is_some() { &self.sender } else { &self.approver };
        vec![Activity {
            target: target.or_else(|| self.repository.as_ref().map(repository)),
            instrument: asked,
            text: words(self.comment.as_ref()),
            run: waits.map(|waits| work(waits, &None)),
            branch: waits.map(|waits| run_branch(waits, &self.repository)).unwrap_or_default(),
            commit: text(waits.and_then(|waits| waits.head_sha.as_ref())),
            ..activity(sender, &None, verb, object)
        }]
    }
}

/// The run that asks, of which only the address of the answer says something.
fn asking(callback: Option<&String>, place: In<'_>) -> Option<Run> {
    let (_, after) = callback?.split_once("/actions/runs/")?;
    let id = after.split('/').next()?.to_owned();
    Some(Run { url: page(place, &format!("actions/runs/{id}")), id, ..Run::default() })
}

impl Kind for proto::DeploymentProtectionRule {
    key!("deployment", "deployment.id");

    times! {
        _ => "deployment.updated_at" "deployment.created_at",
    }

    /// The deployment, which has begun before, waits for an app.
    fn activities(&self) -> Vec<Activity> {
        let into = environment(&self.repository, self.environment.as_ref());
        let sent = self.deployment.as_ref();
        let (object, target) = match (sent, into) {
            (Some(sent), into) => (deployment(sent, "waiting"), into),
            (None, Some(into)) => (into, None),
            (None, None) => return Vec::new(),
        };
        vec![Activity {
            target: target.or_else(|| self.repository.as_ref().map(repository)),
            run: asking(self.deployment_callback_url.as_ref(), &self.repository),
            branch: sent.map(deployed_branch).unwrap_or_default(),
            commit: first([&self.sha, sent.map_or(&None, |sent| &sent.sha)]),
            ..activity(&self.sender, &None, Verb::Update, object)
        }]
    }
}
