//! The steps of the enrichment, run over a batch.
//!
//! * [`lookup`]: asks a service; with [`cache`] and [`circuit`]
//! * [`reference`]: reads a file
//! * `derive`: [`crate::derive`]

pub mod cache;
pub mod circuit;
pub mod lookup;
pub mod reference;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use common::activity::v1::{Activity, EnrichedActivity, FailedStep, StepFailure};
use futures_util::future::join_all;
use service::tls::Dial;
use service::{Action, CheckHandle, CheckSpec, Health};
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;

use crate::derive::{self, Derived};
use crate::settings::{EnricherSettings, PROCESSING, StepSettings, StepType};
use lookup::{Grpc, Lookup};
use reference::Reference;

/// What a step found about one activity, by attribute.
pub type Attributes = Arc<BTreeMap<String, String>>;

/// What a step says about one activity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing is known, or there was nothing to ask about.
    Nothing,
    /// This is known.
    Attributes(Attributes),
    /// The step has no result.
    Failed(StepFailure),
}

/// Where processing answers look-ups.
#[derive(Debug, Clone)]
pub enum Processing {
    /// In this process, which answers this.
    Here(Routes),
    /// At this URL.
    At(String),
}

/// A step of the settings.
#[derive(Debug)]
struct Step {
    name: String,
    required: bool,
    kind: Kind,
    check: CheckHandle,
}

#[derive(Debug)]
enum Kind {
    Lookup(Box<Lookup<Grpc>>),
    Reference(Arc<Reference>),
}

/// All steps.
#[derive(Debug)]
pub struct Steps {
    list: Vec<Step>,
    /// There is a step that looks at the text.
    derives: bool,
    /// It tells the language too.
    detects_language: bool,
}

/// The steps whose look-up or data failed for an activity, and what to do with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It goes on, whole or partial.
    Goes,
    /// This required step failed: it waits.
    Waits(String),
}

impl Steps {
    /// Opens them. Nothing is connected or read yet.
    ///
    /// # Errors
    /// When a setting does not do.
    pub fn open(
        settings: &EnricherSettings,
        processing: &Processing,
        dial: &Dial,
        health: &Health,
    ) -> anyhow::Result<Self> {
        let mut list = Vec::new();
        for step in settings.steps.iter().filter(|step| step.r#type != StepType::Derive) {
            let kind = match step.r#type {
                StepType::Reference => Kind::Reference(Arc::new(Reference::new(step, &settings.reference))),
                _ => Kind::Lookup(Box::new(open_lookup(step, settings, processing, dial)?)),
            };
            // Names of checks live as long as the process, and steps are opened once in it.
            let name: &'static str = format!("enricher_step_{}", step.name.replace('-', "_")).leak();
            // Where activities wait for it, they wait until somebody looks.
            let action = if step.required { Action::Page } else { Action::Ticket };
            let spec = CheckSpec { name, action, gates_readiness: false, unit: "", threshold: None };
            let check = health.check(spec);
            check.ok("not called yet");
            list.push(Step { name: step.name.clone(), required: step.required, kind, check });
        }
        let derives = settings.steps.iter().any(|step| step.r#type == StepType::Derive);
        Ok(Self { list, derives, detects_language: settings.detect_language })
    }

    /// What can be told from the activity alone. Takes processor time: for threads that may be blocked.
    pub fn begin(&self, activity: Activity) -> EnrichedActivity {
        let derived = match &activity.text {
            _ if !self.derives => Derived::default(),
            text => derive::derive(text.as_deref().unwrap_or(""), &activity.links, self.detects_language),
        };
        let Derived { language, hashtags, mentions, links } = derived;
        EnrichedActivity {
            activity: Some(activity),
            language,
            hashtags,
            mentions,
            links,
            ..EnrichedActivity::default()
        }
    }

    /// Asks the steps about a batch, and writes into it what they found. A verdict for each.
    pub async fn ask(&self, batch: &mut [&mut EnrichedActivity]) -> Vec<Verdict> {
        let activities: Vec<Option<&Activity>> = batch.iter().map(|enriched| enriched.activity.as_ref()).collect();
        let found = join_all(self.list.iter().map(|step| step.find(&activities))).await;
        let mut verdicts = vec![Verdict::Goes; batch.len()];
        for (step, found) in self.list.iter().zip(found) {
            for ((enriched, found), verdict) in batch.iter_mut().zip(found).zip(&mut verdicts) {
                match found {
                    Found::Nothing => {}
                    Found::Attributes(attributes) => {
                        let named =
                            attributes.iter().map(|(name, value)| (format!("{}.{name}", step.name), value.clone()));
                        enriched.attributes.extend(named);
                    }
                    Found::Failed(_) if step.required => *verdict = Verdict::Waits(step.name.clone()),
                    Found::Failed(failure) => {
                        enriched.partial = true;
                        enriched.failed_steps.push(FailedStep { step: step.name.clone(), failure: failure.into() });
                    }
                }
            }
        }
        verdicts
    }

    /// Reads reference data, and again whenever a file changes; tells health about all steps. Until it is cancelled.
    pub async fn keep(&self, look: Duration, check: Duration, until: CancellationToken) {
        let keeping = async {
            let every = look.min(check);
            self.list.iter().for_each(|step| step.check.every(every));
            let mut looked: Option<Instant> = None;
            loop {
                if looked.is_none_or(|at| at.elapsed() >= check) {
                    for step in &self.list {
                        if let Kind::Reference(reference) = &step.kind {
                            reference.look().await;
                        }
                    }
                    looked = Some(Instant::now());
                }
                self.list.iter().for_each(Step::tell);
                tokio::time::sleep(every).await;
            }
        };
        let _ = until.run_until_cancelled(keeping).await;
    }

    /// Reads all reference data once, so that the first activities are not partial for want of it.
    pub async fn prepare(&self) {
        for step in &self.list {
            if let Kind::Reference(reference) = &step.kind {
                reference.look().await;
            }
            step.tell();
        }
    }
}

fn open_lookup(
    step: &StepSettings,
    settings: &EnricherSettings,
    processing: &Processing,
    dial: &Dial,
) -> anyhow::Result<Lookup<Grpc>> {
    let own = step.lookup_settings(&settings.lookups);
    let remote = |url: &str| {
        let to: Result<service::Uri, _> = url.parse();
        let to = to.with_context(|| format!("the look-up of step {:?} has an invalid URL: {url}", step.name))?;
        anyhow::Ok(Grpc::remote(to, &own, dial))
    };
    let grpc = match (step.url.as_deref().filter(|url| *url != PROCESSING), processing) {
        (Some(url), _) => remote(url)?,
        (None, Processing::At(url)) => remote(url)?,
        (None, Processing::Here(answers)) => Grpc::here(answers.clone(), &own),
    };
    let name = step.lookup.clone().unwrap_or_else(|| step.name.clone());
    let started = Instant::now();
    Ok(Lookup::new(grpc, name, step.fields(), &own, Box::new(move || started.elapsed())))
}

impl Step {
    async fn find(&self, activities: &[Option<&Activity>]) -> Vec<Found> {
        let found = match &self.kind {
            Kind::Lookup(lookup) => lookup.find(activities).await,
            Kind::Reference(reference) => reference.find(activities),
        };
        let mut failures: BTreeMap<&'static str, u64> = BTreeMap::new();
        for one in &found {
            if let Found::Failed(failure) = one {
                *failures.entry(name_of(*failure)).or_default() += 1;
            }
        }
        for (failure, n) in failures {
            metrics::counter!("weir_enrichment_failures_total", "step" => self.name.clone(), "failure" => failure)
                .increment(n);
        }
        found
    }

    fn tell(&self) {
        let outcome = match &self.kind {
            Kind::Lookup(lookup) => lookup.health(),
            Kind::Reference(reference) => reference.health(),
        };
        let so = if self.required { "; its activities wait" } else { "; its activities are partial" };
        match outcome {
            Ok(message) => self.check.ok(message),
            Err((message, true)) => self.check.fail(format!("{message}{so}")),
            Err((message, false)) => self.check.warn(message),
        }
    }
}

/// As the metric calls it.
fn name_of(failure: StepFailure) -> &'static str {
    failure.as_str_name().trim_start_matches("STEP_FAILURE_")
}

#[cfg(test)]
#[path = "steps_tests.rs"]
mod tests;
