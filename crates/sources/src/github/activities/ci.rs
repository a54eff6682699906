//! The work of machines: workflows, checks, deployments. Status is the conclusion once there is one.

use common::activity::v1::{Activity, Object, Verb};
use common::github::v1 as proto;

use super::{Normalise, activity, actor, text, words};

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

impl Normalise for proto::WorkflowRun {
    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.workflow_run else { return Vec::new() };
        let verb = match self.action() {
            "requested" | "in_progress" => Verb::Start,
            "completed" => Verb::Complete,
            _ => Verb::Update,
        };
        let message = about.head_commit.as_ref().and_then(|commit| commit.message.as_ref());
        vec![Activity { text: words(message), ..activity(self, verb, run(about)) }]
    }
}

impl Normalise for proto::WorkflowJob {
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
        let verb = match self.action() {
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
        vec![Activity { target: Some(target), ..activity(self, verb, object) }]
    }
}

impl Normalise for proto::WorkflowDispatch {
    fn activities(&self) -> Vec<Activity> {
        let object = Object {
            r#type: "workflow".to_owned(),
            id: text(self.workflow.as_ref()),
            title: text(self.workflow.as_ref()),
            ..Object::default()
        };
        vec![activity(self, Verb::Start, object)]
    }
}

fn commit(sha: Option<&String>) -> Option<Object> {
    sha.map(|sha| Object { r#type: "commit".to_owned(), id: sha.clone(), ..Object::default() })
}

impl Normalise for proto::CheckRun {
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
        let verb = match self.action() {
            // An app may make a check when it is done with it.
            "created" if check.status.as_deref() == Some("completed") => Verb::Complete,
            "created" | "rerequested" => Verb::Start,
            "completed" => Verb::Complete,
            _ => Verb::Update,
        };
        let summary = check.output.as_ref().and_then(|output| output.title.as_ref().or(output.summary.as_ref()));
        vec![Activity { target: commit(check.head_sha.as_ref()), text: words(summary), ..activity(self, verb, object) }]
    }
}

impl Normalise for proto::CheckSuite {
    fn activities(&self) -> Vec<Activity> {
        let Some(suite) = &self.check_suite else { return Vec::new() };
        let object = Object {
            r#type: "check_suite".to_owned(),
            id: text(suite.id.as_ref()),
            title: text(suite.app.as_ref().and_then(|app| app.name.as_ref())),
            status: state(suite.status.as_ref(), suite.conclusion.as_ref()),
            ..Object::default()
        };
        let verb = match self.action() {
            "requested" | "rerequested" => Verb::Start,
            "completed" => Verb::Complete,
            _ => Verb::Update,
        };
        vec![Activity { target: commit(suite.head_sha.as_ref()), ..activity(self, verb, object) }]
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

impl Normalise for proto::Deployment {
    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.deployment else { return Vec::new() };
        let verb = if self.action() == "created" { Verb::Start } else { Verb::Update };
        vec![Activity {
            target: commit(about.sha.as_ref()),
            text: words(about.description.as_ref()),
            ..activity(self, verb, deployment(about, ""))
        }]
    }
}

impl Normalise for proto::DeploymentStatus {
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
            ..activity(self, verb, object)
        }]
    }
}

impl Normalise for proto::PageBuild {
    fn activities(&self) -> Vec<Activity> {
        let Some(build) = &self.build else { return Vec::new() };
        let object = Object {
            r#type: "page_build".to_owned(),
            id: text(self.id.as_ref()),
            status: text(build.status.as_ref()),
            ..Object::default()
        };
        let message = build.error.as_ref().and_then(|error| error.message.as_ref());
        vec![Activity { text: words(message), ..activity(self, Verb::Complete, object) }]
    }
}
