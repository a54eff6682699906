use std::cell::RefCell;

use common::health::v1::State;
use service::{Action, CheckSpec, Health};

use super::*;

fn check(health: &Health) -> CheckHandle {
    health.check(CheckSpec {
        name: "health_check_history",
        action: Action::Ticket,
        gates_readiness: false,
        unit: "",
        threshold: None,
    })
}

fn state(health: &Health) -> State {
    health.checks_at(std::time::Instant::now())[0].state()
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_not_written_over_and_is_read_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volume.json");
    // Whoever runs this may read every file: but nobody a folder.
    std::fs::create_dir(&path).unwrap();
    let over = CancellationToken::new();
    let health = Health::new("health-check", over.clone());
    over.cancel();
    let (keeper, history) = Keeper::open(path.clone(), check(&health));
    assert_eq!((history, state(&health)), (History::default(), State::Failing));
    keeper.run(History::default, |_| (), &over).await;
    assert!(path.is_dir() && std::fs::read_dir(folder.path()).unwrap().count() == 1, "nothing is written");

    let mut weeks = History::default();
    weeks.raise("shop", 490_000, 3, 9);
    let (keeper, history) = Keeper::open(path.clone(), check(&health));
    std::fs::remove_dir(&path).unwrap();
    file::save(&path, &file::encode(&weeks).unwrap()).unwrap();
    let known = RefCell::new(history);
    keeper.run(|| known.borrow().clone(), |history| *known.borrow_mut() = history, &over).await;
    assert_eq!((file::load(&path).unwrap(), state(&health)), (weeks.clone(), State::Ok));
    assert_eq!(known.into_inner(), weeks);
}
