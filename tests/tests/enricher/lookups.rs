//! Look-ups and reference data that fail, hang, and change.

use std::time::Instant;

use common::activity::v1::StepFailure;
use common::health::v1::State;

use crate::fake::{Does, Fake};
use crate::stage::{LIMIT, Place, id};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_fails_or_answers_nonsense_makes_activities_partial() {
    for (does, failure) in [
        (Does::Fails, StepFailure::Unavailable),
        (Does::Short, StepFailure::InvalidAnswer),
        (Does::Many, StepFailure::InvalidAnswer),
        (Does::Large, StepFailure::InvalidAnswer),
        (Does::Hangs, StepFailure::TimedOut),
    ] {
        let fake = Fake::start(does).await;
        let place = Place::new("enricher-partial", &fake.step("circuit_failures = 2\ncircuit_open_ms = 300")).await;
        let stage = place.start().await;
        let mut stands = place.put((0..20).map(Place::activity)).await;
        for (id, enriched) in place.enriched(20).await {
            assert!(enriched.partial && enriched.attributes.is_empty(), "{does:?} {id}");
            let [failed] = &enriched.failed_steps[..] else { panic!("{does:?}: {enriched:?}") };
            assert_eq!(failed.step, "crm");
            assert!([failure, StepFailure::CircuitOpen].contains(&failed.failure()), "{does:?}: {failed:?}");
        }
        if does != Does::Many {
            stage.until("says so", |stage| stage.check("enricher_step_crm").0 != State::Ok).await;
        }
        fake.does(Does::Answers);
        // The next call that tries finds it well.
        let begun = Instant::now();
        let mut n = 20;
        loop {
            stands.extend(place.put([Place::activity(n)]).await);
            n += 1;
            if !place.enriched(n).await[&id(n - 1)].partial {
                break;
            }
            assert!(begun.elapsed() < LIMIT, "{does:?}: still partial");
        }
        stage.until("well again", |stage| stage.check("enricher_step_crm").0 == State::Ok).await;
        place.all_loaded(&stands, (0..n).map(id)).await;
        stage.stop().await;
    }
}

/// Activities a second through a stage that is opened for them, from when the step's circuit is as it stays.
async fn rate(does: Does) -> f64 {
    const COUNT: usize = 15_000;
    let fake = Fake::start(does).await;
    let place = Place::new("enricher-rate", &fake.step("")).await;
    let stage = place.start().await;
    let mut n = 0;
    while n < 10 || (does == Does::Hangs && stage.check("enricher_step_crm").0 != State::Failing) {
        place.put([Place::activity(n)]).await;
        n += 1;
        stage.until("taken", |stage| stage.counted().taken_in == n as u64).await;
    }
    // Each in an account of its own: nothing is remembered.
    place.put((n..n + COUNT).map(Place::activity)).await;
    let begun = Instant::now();
    let before = stage.counted().taken_in;
    stage.until("all", |stage| stage.counted().taken_in == (n + COUNT) as u64).await;
    let rate = ((n + COUNT) as u64 - before) as f64 / begun.elapsed().as_secs_f64();
    stage.stop().await;
    println!("{does:?}: {rate:.0}/s, {} calls", fake.calls());
    rate
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_hangs_does_not_slow_the_stage_down() {
    // The better of several, in turns: other tests may have the processors for a while.
    let (mut well, mut hanging) = (0f64, 0f64);
    for _ in 0..3 {
        well = well.max(rate(Does::Answers).await);
        hanging = hanging.max(rate(Does::Hangs).await);
    }
    println!("well: {well:.0}/s, hanging: {hanging:.0}/s");
    assert!(hanging >= well * 0.5, "{hanging:.0}/s of {well:.0}/s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_required_step_holds_what_stands_behind_it_and_nothing_else() {
    let fake = Fake::start(Does::Answers).await;
    let place = Place::new("enricher-required", &fake.step("required = true\ncircuit_open_ms = 100")).await;
    let stage = place.start().await;
    let before = place.put((0..30).map(Place::activity)).await;
    place.all_loaded(&before, (0..30).map(id)).await;
    fake.does(Does::Fails);
    let waiting = place.put((30..60).map(Place::activity)).await;
    stage.until("says so", |stage| stage.check("enricher_step_crm").1.contains("wait")).await;
    // It comes again and again, and nothing of it goes out.
    let calls = fake.calls();
    stage.until("tries again", |_| fake.calls() > calls + 1).await;
    assert_eq!(place.enriched(30).await.len(), 30);
    fake.does(Does::Answers);
    place.all_loaded(&waiting, (0..60).map(id)).await;
    let enriched = place.read("activities.enriched").await;
    let ids: std::collections::BTreeSet<_> = enriched.iter().map(|stored| stored.headers.id.clone()).collect();
    assert_eq!(ids.len(), 60);
    for stored in enriched {
        let enriched: common::activity::v1::EnrichedActivity = stored.decode().unwrap();
        assert!(!enriched.partial && enriched.attributes.contains_key("crm.name"));
    }
    stage.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reference_data_follows_its_file() {
    let place = Place::new("enricher-reference", "").await;
    let csv = place.folder().join("accounts.csv");
    let put = |text: &str| {
        let other = csv.with_extension("new");
        std::fs::write(&other, text).unwrap();
        std::fs::rename(&other, &csv).unwrap();
    };
    put("account_id,owner\n0,ann\n1,ann\n2,ann\n");
    let step =
        format!("[[enricher.steps]]\nname = \"own\"\ntype = \"reference\"\nkey = [\"account_id\"]\npath = {csv:?}\n");
    let steps: toml::Table = toml::from_str(&step).unwrap();
    let mut settings = place.settings.clone();
    settings.enricher.steps = steps["enricher"]["steps"].clone().try_into().unwrap();
    let stage = place.start_with(&settings).await;
    place.put([Place::activity(0)]).await;
    assert_eq!(place.enriched(1).await[&id(0)].attributes["own.owner"], "ann");
    put("account_id,owner\n0,bob\n1,bob\n");
    stage.until("read again", |stage| stage.check("enricher_step_own").1 == "2 rows").await;
    place.put([Place::activity(1), Place::activity(2)]).await;
    let enriched = place.enriched(3).await;
    assert_eq!(enriched[&id(1)].attributes["own.owner"], "bob");
    assert!(enriched[&id(2)].attributes.is_empty() && !enriched[&id(2)].partial);
    // A broken file leaves what was read, and is told.
    put("account,owner\n");
    stage.until("told", |stage| stage.check("enricher_step_own").0 == State::Warning).await;
    place.put([Place::activity(3)]).await;
    assert!(!place.enriched(4).await[&id(3)].partial);
    stage.stop().await;
}
