//! The work of machines: workflows, checks, deployments. Status is the conclusion once there is one.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1 as proto;

use super::{activity, actor, said, text, words};
use crate::kind::Kind;

/// How far it is, or how it ended.
fn state(status: Option<&String>, conclusion: Option<&String>) -> String {
    text(conclusion.or(status))
}

fn run(run: &proto::WorkflowRunInfo) -> Object {
    Object {
        r#type: "workflow_run".to_owned(),
        id: text(run.id.as_ref()),
        url: text(run.html_url.as_ref()),
        title: text(run.display_title.as_ref().or(run.name.as_ref())),
        status: state(run.status.as_ref(), run.conclusion.as_ref()),
        author: run.actor.as_ref().map(actor),
    }
}

impl Kind for proto::WorkflowRun {
    key!("run", "workflow_run.id");

    times! {
        // A run is made once; each of its attempts starts.
        "requested" => "workflow_run.run_started_at" "workflow_run.created_at",
        _ => "workflow_run.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.workflow_run else { return Vec::new() };
        let verb = match said(&self.action) {
            "requested" | "in_progress" => Verb::Start,
            "completed" => Verb::Complete,
            _ => Verb::Update,
        };
        let message = about.head_commit.as_ref().and_then(|commit| commit.message.as_ref());
        vec![Activity { text: words(message), ..activity(&self.sender, &self.repository, verb, run(about)) }]
    }
}

impl Kind for proto::WorkflowJob {
    key!("run", "workflow_job.run_id");

    times! {
        "completed" => "workflow_job.completed_at",
        "in_progress" => "workflow_job.started_at",
        _ => "workflow_job.created_at" "workflow_job.started_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(job) = &self.workflow_job else { return Vec::new() };
        let object = Object {
            r#type: "workflow_job".to_owned(),
            id: text(job.id.as_ref()),
            url: text(job.html_url.as_ref()),
            title: text(job.name.as_ref()),
            status: state(job.status.as_ref(), job.conclusion.as_ref()),
            author: None,
        };
        let verb = match said(&self.action) {
            "queued" | "waiting" | "in_progress" => Verb::Start,
            "completed" => Verb::Complete,
            _ => Verb::Update,
        };
        let target = Object {
            r#type: "workflow_run".to_owned(),
            id: text(job.run_id.as_ref()),
            title: text(job.workflow_name.as_ref()),
            ..Object::default()
        };
        vec![Activity { target: Some(target), ..activity(&self.sender, &self.repository, verb, object) }]
    }
}

impl Kind for proto::WorkflowDispatch {
    fn activities(&self) -> Vec<Activity> {
        let object = Object {
            r#type: "workflow".to_owned(),
            id: text(self.workflow.as_ref()),
            title: text(self.workflow.as_ref()),
            ..Object::default()
        };
        vec![activity(&self.sender, &self.repository, Verb::Start, object)]
    }
}

fn commit(sha: Option<&String>) -> Option<Object> {
    sha.map(|sha| Object { r#type: "commit".to_owned(), id: sha.clone(), ..Object::default() })
}

impl Kind for proto::CheckRun {
    key!("commit", "check_run.head_sha");

    times! {
        "completed" => "check_run.completed_at",
        "created" => "check_run.started_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(check) = &self.check_run else { return Vec::new() };
        let object = Object {
            r#type: "check_run".to_owned(),
            id: text(check.id.as_ref()),
            url: text(check.html_url.as_ref()),
            title: text(check.name.as_ref()),
            status: state(check.status.as_ref(), check.conclusion.as_ref()),
            author: None,
        };
        let verb = match said(&self.action) {
            // An app may make a check when it is done with it.
            "created" if check.status.as_deref() == Some("completed") => Verb::Complete,
            "created" | "rerequested" => Verb::Start,
            "completed" => Verb::Complete,
            _ => Verb::Update,
        };
        let summary = check.output.as_ref().and_then(|output| output.title.as_ref().or(output.summary.as_ref()));
        vec![Activity {
            target: commit(check.head_sha.as_ref()),
            text: words(summary),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::CheckSuite {
    key!("commit", "check_suite.head_sha");

    times! {
        "requested" => "check_suite.created_at",
        _ => "check_suite.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(suite) = &self.check_suite else { return Vec::new() };
        let object = Object {
            r#type: "check_suite".to_owned(),
            id: text(suite.id.as_ref()),
            title: text(suite.app.as_ref().and_then(|app| app.name.as_ref())),
            status: state(suite.status.as_ref(), suite.conclusion.as_ref()),
            ..Object::default()
        };
        let verb = match said(&self.action) {
            "requested" | "rerequested" => Verb::Start,
            "completed" => Verb::Complete,
            _ => Verb::Update,
        };
        vec![Activity {
            target: commit(suite.head_sha.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

fn deployment(deployment: &proto::DeploymentInfo, status: &str) -> Object {
    Object {
        r#type: "deployment".to_owned(),
        id: text(deployment.id.as_ref()),
        title: text(deployment.environment.as_ref()),
        status: status.to_owned(),
        author: deployment.creator.as_ref().map(actor),
        ..Object::default()
    }
}

impl Kind for proto::Deployment {
    key!("deployment", "deployment.id");

    times! {
        _ => "deployment.created_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.deployment else { return Vec::new() };
        let verb = if said(&self.action) == "created" { Verb::Start } else { Verb::Update };
        vec![Activity {
            target: commit(about.sha.as_ref()),
            text: words(about.description.as_ref()),
            ..activity(&self.sender, &self.repository, verb, deployment(about, ""))
        }]
    }
}

impl Kind for proto::DeploymentStatus {
    key!("deployment", "deployment.id");

    times! {
        _ => "deployment_status.created_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let (Some(status), Some(about)) = (&self.deployment_status, &self.deployment) else { return Vec::new() };
        let state = status.state.as_deref().unwrap_or_default();
        let verb = match state {
            "success" | "failure" | "error" => Verb::Complete,
            "pending" | "queued" | "waiting" | "in_progress" => Verb::Start,
            _ => Verb::Update,
        };
        let mut object = deployment(about, state);
        object.url = text(status.environment_url.as_ref().or(status.target_url.as_ref()));
        vec![Activity {
            target: commit(about.sha.as_ref()),
            text: words(status.description.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::PageBuild {
    times! {
        _ => "build.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(build) = &self.build else { return Vec::new() };
        let object = Object {
            r#type: "page_build".to_owned(),
            id: text(self.id.as_ref()),
            status: text(build.status.as_ref()),
            ..Object::default()
        };
        let message = build.error.as_ref().and_then(|error| error.message.as_ref());
        vec![Activity { text: words(message), ..activity(&self.sender, &self.repository, Verb::Complete, object) }]
    }
}
