use super::*;

#[test]
fn is_complete_when_every_clone_is() {
    let (ack, mut outcome) = Ack::testing();
    let (second, third) = (ack.clone(), ack.clone());
    ack.complete();
    third.complete();
    assert!(outcome.try_recv().is_err(), "one output is still on its way");
    second.complete();
    assert_eq!(outcome.try_recv().unwrap(), AckOutcome::Completed);
}

#[test]
fn has_failed_when_one_clone_has_and_says_so_after_the_last() {
    let (ack, mut outcome) = Ack::testing();
    let second = ack.clone();
    ack.fail(&Error::Full);
    assert!(outcome.try_recv().is_err());
    second.complete();
    assert_eq!(outcome.try_recv().unwrap(), AckOutcome::Failed);
}

#[test]
fn forgetting_one_is_failing() {
    let (ack, mut outcome) = Ack::testing();
    drop(ack.clone());
    ack.complete();
    assert_eq!(outcome.try_recv().unwrap(), AckOutcome::Failed);
}

#[test]
fn whoever_watches_is_told_before_the_record_is_done() {
    for well in [true, false] {
        let (ack, mut outcome) = Ack::testing();
        let (tell, told) = std::sync::mpsc::channel();
        let watched = ack.watched(move |outcome| tell.send(outcome).unwrap());
        let second = watched.clone();
        watched.complete();
        assert!(told.try_recv().is_err() && outcome.try_recv().is_err());
        if well {
            second.complete();
        } else {
            drop(second);
        }
        let expected = if well { AckOutcome::Completed } else { AckOutcome::Failed };
        assert_eq!((told.try_recv().unwrap(), outcome.try_recv().unwrap()), (expected.clone(), expected));
    }
}

#[test]
fn none_can_end_anyhow() {
    Ack::none().complete();
    Ack::none().clone().fail(&Error::Full);
}

#[test]
fn clones_ended_on_many_threads_are_told_once() {
    for _ in 0..50 {
        let (ack, mut outcome) = Ack::testing();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let ack = ack.clone();
                scope.spawn(move || ack.complete());
            }
            scope.spawn(move || ack.complete());
        });
        assert_eq!(outcome.try_recv().unwrap(), AckOutcome::Completed);
    }
}
