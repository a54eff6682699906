use common::enrichment::v1::enrichment_service_server::{EnrichmentService, EnrichmentServiceServer};
use common::enrichment::v1::{Answer, Key, LookUpRequest, LookUpResponse};
use common::health::v1::State;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::settings::Settings;

fn settings(steps: &str) -> EnricherSettings {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("weir.toml");
    std::fs::write(&file, steps).unwrap();
    let settings: Settings = service::load(crate::DEFAULTS, Some(&file), []).unwrap();
    settings.enricher
}

fn open(steps: &str) -> (Steps, Health) {
    let health = Health::new("enricher", CancellationToken::new());
    let dial = Dial::new("grpc.client", &Default::default());
    let nobody = Processing::At("http://127.0.0.1:1".to_owned());
    (Steps::open(&settings(steps), &nobody, &dial, &health).unwrap(), health)
}

fn activity(account: &str) -> Activity {
    let context = common::event::v1::Context { account_id: account.to_owned(), ..Default::default() };
    Activity { context: Some(context), text: Some("#weir by @ann".to_owned()), ..Activity::default() }
}

#[tokio::test]
async fn steps_that_fail_make_activities_partial_and_required_ones_make_them_wait() {
    let folder = tempfile::tempdir().unwrap();
    let csv = folder.path().join("accounts.csv");
    std::fs::write(&csv, "account_id,owner\n7,ann\n").unwrap();
    let text = |required: bool| {
        format!(
            "[[enricher.steps]]\nname = \"owners\"\ntype = \"reference\"\nkey = [\"account_id\"]\npath = {csv:?}\n\
             [[enricher.steps]]\nname = \"crm\"\ntype = \"lookup\"\nkey = [\"account_id\"]\nurl = \"processing\"\n\
             required = {required}\n\
             [[enricher.steps]]\nname = \"text\"\ntype = \"derive\"\n"
        )
    };
    let (steps, health) = open(&text(false));
    steps.prepare().await;
    let mut first = steps.begin(activity("7"));
    let mut second = steps.begin(activity("8"));
    assert_eq!(
        (first.hashtags.as_slice(), first.mentions.as_slice()),
        (&["weir".to_owned()][..], &["ann".to_owned()][..])
    );
    assert_eq!(steps.ask(&mut [&mut first, &mut second]).await, [Verdict::Goes, Verdict::Goes]);
    assert_eq!(first.attributes, BTreeMap::from([("owners.owner".to_owned(), "ann".to_owned())]));
    assert_eq!(second.attributes, BTreeMap::new());
    for enriched in [&first, &second] {
        assert!(enriched.partial);
        let failed: Vec<_> =
            enriched.failed_steps.iter().map(|failed| (failed.step.as_str(), failed.failure())).collect();
        assert_eq!(failed, [("crm", StepFailure::Unavailable)]);
    }
    steps.prepare().await;
    let digest = health.digest();
    let state = |name: &str| digest.checks.iter().find(|check| check.name == name).map(|check| check.state());
    assert_eq!(state("enricher_step_owners"), Some(State::Ok));
    assert_eq!(state("enricher_step_crm"), Some(State::Warning));

    let action = |health: &Health| {
        let digest = health.digest();
        digest.checks.iter().find(|check| check.name == "enricher_step_crm").map(|check| check.action())
    };
    assert_eq!(action(&health), Some(Action::Ticket), "activities go on");

    let (steps, health) = open(&text(true));
    let mut waits = steps.begin(activity("7"));
    assert_eq!(steps.ask(&mut [&mut waits]).await, [Verdict::Waits("crm".to_owned())]);
    assert_eq!(action(&health), Some(Action::Page), "they wait");
}

#[tokio::test]
async fn a_step_that_nobody_looks_at_any_more_is_unknown() {
    let step = "[[enricher.steps]]\nname = \"crm\"\ntype = \"lookup\"\nkey = [\"account_id\"]\nurl = \"processing\"\n";
    let (steps, health) = open(step);
    // Up to the first pause.
    let keep = steps.keep(Duration::from_secs(2), Duration::from_secs(10), CancellationToken::new());
    assert!(tokio::time::timeout(Duration::ZERO, keep).await.is_err());
    let later = |seconds| health.checks_at(Instant::now() + Duration::from_secs(seconds)).remove(0).state();
    assert_eq!((later(25), later(31)), (State::Ok, State::Unknown));
}

#[tokio::test]
async fn without_a_step_that_derives_nothing_is_derived() {
    let (steps, _) = open("[enricher]\nsteps = []\n");
    let mut enriched = steps.begin(activity("7"));
    assert_eq!(steps.ask(&mut [&mut enriched]).await, [Verdict::Goes]);
    assert_eq!(enriched, EnrichedActivity { activity: Some(activity("7")), ..EnrichedActivity::default() });
}

/// Answers when it is let to.
struct Busy(Arc<tokio::sync::Notify>);

#[tonic::async_trait]
impl EnrichmentService for Busy {
    async fn look_up(
        &self,
        asked: tonic::Request<LookUpRequest>,
    ) -> Result<tonic::Response<LookUpResponse>, tonic::Status> {
        self.0.notified().await;
        let LookUpRequest { lookup, keys } = asked.into_inner();
        let attributes =
            |key: &Key| key.fields.iter().map(|(name, value)| (name.clone(), format!("{lookup} {value}"))).collect();
        let answers = keys.iter().map(|key| Answer { found: true, attributes: attributes(key) }).collect();
        Ok(tonic::Response::new(LookUpResponse { answers }))
    }
}

#[tokio::test]
async fn a_look_up_in_this_process_needs_no_connection_and_waits_for_its_answer() {
    let step = "[enricher.lookups]\ntimeout_ms = \"1ms\"\n\
                [[enricher.steps]]\nname = \"crm\"\ntype = \"lookup\"\nkey = [\"account_id\"]\nurl = \"processing\"\n";
    let answer = Arc::new(tokio::sync::Notify::new());
    let here = Processing::Here(Routes::new(EnrichmentServiceServer::new(Busy(Arc::clone(&answer)))));
    let health = Health::new("enricher", CancellationToken::new());
    let dial = Dial::new("grpc.client", &Default::default());
    let steps = Steps::open(&settings(step), &here, &dial, &health).unwrap();
    let mut enriched = steps.begin(activity("7"));
    let much_later = async {
        // A hundred times what a service elsewhere may take.
        tokio::time::sleep(Duration::from_millis(100)).await;
        answer.notify_one();
    };
    let mut batch = [&mut enriched];
    let (verdicts, ()) = tokio::join!(steps.ask(&mut batch), much_later);
    assert_eq!((verdicts, enriched.partial), (vec![Verdict::Goes], false));
    assert_eq!(enriched.attributes, BTreeMap::from([("crm.account_id".to_owned(), "crm 7".to_owned())]));

    // What has a URL of its own is asked there.
    let elsewhere = step.replace("url = \"processing\"", "url = \"http://127.0.0.1:1\"");
    let steps = Steps::open(&settings(&elsewhere), &here, &dial, &health).unwrap();
    let mut enriched = steps.begin(activity("7"));
    steps.ask(&mut [&mut enriched]).await;
    assert!(enriched.partial, "{enriched:?}");
}
