use std::cell::Cell;

use futures_util::future::join_all;
use tokio::time::sleep;

use super::*;

const LIMIT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(100);

#[tokio::test(start_paused = true)]
async fn many_share_one_look() {
    let catch_up = CatchUp::new(LIMIT, PAUSE);
    let looks = Cell::new(0);
    let run = catch_up.run(|| {
        looks.set(looks.get() + 1);
        async {
            sleep(Duration::from_millis(5)).await;
            true
        }
    });
    let asked = join_all((0..1000).map(|_| catch_up.wait()));
    tokio::select! {
        () = run => unreachable!("runs for ever"),
        answers = asked => assert!(answers.into_iter().all(|answer| answer)),
    }
    assert_eq!(looks.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn who_asks_during_a_look_gets_the_next_after_the_pause() {
    let catch_up = CatchUp::new(LIMIT, PAUSE);
    let begun = Instant::now();
    let looks = Cell::new(0);
    let run = catch_up.run(|| {
        looks.set(looks.get() + 1);
        async {
            sleep(Duration::from_millis(20)).await;
            true
        }
    });
    let late = async {
        sleep(Duration::from_millis(10)).await;
        let answer = catch_up.wait().await;
        (answer, begun.elapsed())
    };
    tokio::select! {
        () = run => unreachable!("runs for ever"),
        (first, (second, took)) = async { tokio::join!(catch_up.wait(), late) } => {
            assert!(first && second);
            // The look that was under way at 10 ms may have missed what the second asks for.
            assert!(took >= PAUSE + Duration::from_millis(20), "{took:?}");
        }
    }
    assert_eq!(looks.get(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_flood_of_strangers_costs_one_look_for_each_pause() {
    let catch_up = CatchUp::new(LIMIT, PAUSE);
    let looks = Cell::new(0);
    let run = catch_up.run(|| {
        looks.set(looks.get() + 1);
        std::future::ready(true)
    });
    let flood = async {
        for _ in 0..1000 {
            let _ = timeout(Duration::from_millis(1), catch_up.wait()).await;
            sleep(Duration::from_millis(1)).await;
        }
    };
    let begun = Instant::now();
    tokio::select! {
        () = run => unreachable!("runs for ever"),
        () = flood => {}
    }
    let most = begun.elapsed().as_millis() / PAUSE.as_millis() + 1;
    assert!((2..=most).contains(&looks.get()), "{} looks, at most {most}", looks.get());
}

#[tokio::test(start_paused = true)]
async fn a_look_that_fails_or_hangs_is_no_success() {
    let catch_up = CatchUp::new(LIMIT, PAUSE);
    let failing = catch_up.run(|| std::future::ready(false));
    tokio::select! {
        () = failing => unreachable!("runs for ever"),
        answer = catch_up.wait() => assert!(!answer),
    }

    let catch_up = CatchUp::new(LIMIT, PAUSE);
    let begun = Instant::now();
    let hanging = catch_up.run(std::future::pending);
    tokio::select! {
        () = hanging => unreachable!("runs for ever"),
        answer = catch_up.wait() => assert!(!answer),
    }
    assert_eq!(begun.elapsed(), LIMIT);
}
