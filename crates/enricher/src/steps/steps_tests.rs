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
    (Steps::open(&settings(steps), "http://127.0.0.1:1", &dial, &health).unwrap(), health)
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

    let (steps, _) = open(&text(true));
    let mut waits = steps.begin(activity("7"));
    assert_eq!(steps.ask(&mut [&mut waits]).await, [Verdict::Waits("crm".to_owned())]);
}

#[tokio::test]
async fn without_a_step_that_derives_nothing_is_derived() {
    let (steps, _) = open("[enricher]\nsteps = []\n");
    let mut enriched = steps.begin(activity("7"));
    assert_eq!(steps.ask(&mut [&mut enriched]).await, [Verdict::Goes]);
    assert_eq!(enriched, EnrichedActivity { activity: Some(activity("7")), ..EnrichedActivity::default() });
}
