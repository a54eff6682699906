//! The work of machines: workflows, checks, deployments. Status is the conclusion once there is one.

use common::activity::v1::{Activity, Object, Run, Verb};
use common::github::v1 as proto;

use super::objects::{actor, app, branch, commit, named, page, thing};
use super::{activity, first, said, text, words};
use crate::kind::Kind;

/// How far it is, or how it ended.
fn state(status: &Option<String>, conclusion: &Option<String>) -> String {
    first([conclusion, status])
}

pub(super) fn run(run: &proto::WorkflowRunInfo) -> Object {
    Object {
        url: text(run.html_url.as_ref()),
        title: first([&run.display_title, &run.name]),
        status: state(&run.status, &run.conclusion),
        author: run.actor.as_ref().map(actor),
        number: run.run_number,
        ..thing("workflow_run", run.id.as_ref())
    }
}

pub(super) fn work(run: &proto::WorkflowRunInfo, workflow: &Option<proto::WorkflowInfo>) -> Run {
    // The name of a run is that of its workflow, unless the workflow gives its runs names.
    let named = workflow.as_ref().map_or(&None, |workflow| &workflow.name);
    Run {
        workflow: first([named, &run.name, &run.path]),
        id: text(run.id.as_ref()),
        url: text(run.html_url.as_ref()),
        attempt: run.run_attempt,
    }
}

/// The branch of a run: `owner:name` of one in a fork, since a fork has a `main` too.
pub(super) fn run_branch(run: &proto::WorkflowRunInfo, place: &Option<proto::RepositoryInfo>) -> String {
    let name = text(run.head_branch.as_ref());
    let place = run.repository.as_ref().or(place.as_ref());
    let (Some(head), Some(place)) = (&run.head_repository, place) else { return name };
    if head.id.is_none() || head.id == place.id || name.is_empty() {
        return name;
    }
    let owner = head.owner.as_ref().and_then(|owner| owner.login.as_ref());
    owner.map_or_else(String::new, |owner| format!("{owner}:{name}"))
}

impl Kind for proto::WorkflowRun {
    key!("run", "workflow_run.id");

    times! {
        // A run is made once; each of its attempts starts.
        "requested" => "workflow_run.run_started_at" "workflow_run.created_at" "workflow_run.updated_at",
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
        vec![Activity {
            text: words(message),
            run: Some(work(about, &self.workflow)),
            branch: run_branch(about, &self.repository),
            commit: text(about.head_sha.as_ref()),
            ..activity(&self.sender, &self.repository, verb, run(about))
        }]
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
            url: text(job.html_url.as_ref()),
            title: text(job.name.as_ref()),
            status: state(&job.status, &job.conclusion),
            ..thing("workflow_job", job.id.as_ref())
        };
        let verb = match said(&self.action) {
            "queued" | "waiting" | "in_progress" => Verb::Start,
            "completed" => Verb::Complete,
            _ => Verb::Update,
        };
        let run = Run {
            workflow: text(job.workflow_name.as_ref()),
            id: text(job.run_id.as_ref()),
            url: job
                .run_id
                .as_ref()
                .map_or_else(String::new, |id| page(&self.repository, &format!("actions/runs/{id}"))),
            attempt: job.run_attempt,
        };
        let target =
            Object { url: run.url.clone(), title: run.workflow.clone(), ..thing("workflow_run", Some(&run.id)) };
        vec![Activity {
            target: Some(target),
            run: Some(run),
            branch: text(job.head_branch.as_ref()),
            commit: text(job.head_sha.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::WorkflowDispatch {
    fn activities(&self) -> Vec<Activity> {
        let file = text(self.workflow.as_ref());
        let object = Object { title: file.clone(), ..thing("workflow", Some(&named(&self.repository, &file))) };
        vec![Activity {
            run: Some(Run { workflow: file, ..Run::default() }),
            branch: self.r#ref.as_deref().and_then(branch).unwrap_or_default().to_owned(),
            ..activity(&self.sender, &self.repository, Verb::Start, object)
        }]
    }
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
            url: text(check.html_url.as_ref()),
            title: text(check.name.as_ref()),
            status: state(&check.status, &check.conclusion),
            ..thing("check_run", check.id.as_ref())
        };
        let verb = match said(&self.action) {
            // An app may make a check when it is done with it.
            "created" if check.status.as_deref() == Some("completed") => Verb::Complete,
            "created" | "rerequested" => Verb::Start,
            "completed" => Verb::Complete,
            _ => Verb::Update,
        };
        let summary = check.output.as_ref().map(|output| first([&output.title, &output.summary]));
        vec![Activity {
            target: commit(&self.repository, check.head_sha.as_ref(), None),
            instrument: check.app.as_ref().map(app),
            text: words(summary.as_ref()),
            branch: text(check.check_suite.as_ref().and_then(|suite| suite.head_branch.as_ref())),
            commit: text(check.head_sha.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

impl Kind for proto::CheckSuite {
    key!("commit", "check_suite.head_sha");

    times! {
        "requested" => "check_suite.created_at" "check_suite.updated_at",
        _ => "check_suite.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(suite) = &self.check_suite else { return Vec::new() };
        let commit = |message| commit(&self.repository, suite.head_sha.as_ref(), message);
        let object = Object {
            url: commit(None).map_or_else(String::new, |commit| commit.url + "/checks"),
            title: text(suite.app.as_ref().and_then(|app| app.name.as_ref())),
            status: state(&suite.status, &suite.conclusion),
            ..thing("check_suite", suite.id.as_ref())
        };
        let verb = match said(&self.action) {
            "requested" | "rerequested" => Verb::Start,
            "completed" => Verb::Complete,
            _ => Verb::Update,
        };
        vec![Activity {
            target: commit(suite.head_commit.as_ref().and_then(|commit| commit.message.as_ref())),
            instrument: suite.app.as_ref().map(app),
            branch: text(suite.head_branch.as_ref()),
            commit: text(suite.head_sha.as_ref()),
            ..activity(&self.sender, &self.repository, verb, object)
        }]
    }
}

pub(super) fn deployment(deployment: &proto::DeploymentInfo, status: &str) -> Object {
    Object {
        title: text(deployment.environment.as_ref()),
        status: status.to_owned(),
        author: deployment.creator.as_ref().map(actor),
        ..thing("deployment", deployment.id.as_ref())
    }
}

/// The branch of a deployment: what was named for it, where that is neither the commit nor a tag by its full name. A tag by
/// its short name cannot be told from a branch.
pub(super) fn deployed_branch(deployment: &proto::DeploymentInfo) -> String {
    let named = deployment.r#ref.as_deref().filter(|named| Some(*named) != deployment.sha.as_deref());
    let named = named.filter(|named| !named.starts_with("refs/tags/")).unwrap_or_default();
    branch(named).unwrap_or(named).to_owned()
}

impl Kind for proto::Deployment {
    key!("deployment", "deployment.id");

    times! {
        _ => "deployment.created_at" "deployment.updated_at",
    }

    fn activities(&self) -> Vec<Activity> {
        let Some(about) = &self.deployment else { return Vec::new() };
        // An event of before there were actions has none, and tells of a new deployment.
        let verb = if matches!(said(&self.action), "created" | "") { Verb::Start } else { Verb::Update };
        vec![Activity {
            target: commit(&self.repository, about.sha.as_ref(), None),
            text: words(about.description.as_ref()),
            run: self.workflow_run.as_ref().map(|run| work(run, &self.workflow)),
            branch: deployed_branch(about),
            commit: text(about.sha.as_ref()),
            ..activity(&self.sender, &self.repository, verb, deployment(about, ""))
        }]
    }
}

impl Kind for proto::DeploymentStatus {
    key!("deployment", "deployment.id");

    times! {
        _ => "deployment_status.created_at" "deployment_status.updated_at",
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
        object.url = first([&status.environment_url, &status.target_url]);
        vec![Activity {
            target: commit(&self.repository, about.sha.as_ref(), None),
            text: words(status.description.as_ref()),
            run: self.workflow_run.as_ref().map(|run| work(run, &self.workflow)),
            branch: deployed_branch(about),
            commit: text(about.sha.as_ref()),
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
        let object = Object { status: text(build.status.as_ref()), ..thing("page_build", self.id.as_ref()) };
        let message = build.error.as_ref().and_then(|error| error.message.as_ref());
        vec![Activity {
            text: words(message),
            commit: text(build.commit.as_ref()),
            ..activity(&self.sender, &self.repository, Verb::Complete, object)
        }]
    }
}
