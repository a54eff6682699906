//! `weir trace`: what came of a delivery, from the answer of the door to the row in the lake.

use http_body_util::BodyExt as _;
use serde_json::Value;
use weir_tests::github::{self, Delivery};
use weir_tests::installation::DOOR;
use weir_tests::wait;

use crate::{Log, SECRET, Up, WITHIN, issue, rows, up};

/// Delivers as GitHub does; the delivery's id, as the door answers it.
async fn deliver(up: &Up, number: u64) -> String {
    let delivery = Delivery { endpoint: "mine", secret: SECRET, event: "issues", number, body: issue(1).into() };
    let answer = github::send(delivery.to(up.process.address(DOOR))).await.unwrap();
    let answer = answer.into_body().collect().await.unwrap().to_bytes();
    let answer: Value = serde_json::from_slice(&answer).unwrap();
    answer["delivery_id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn trace(up: &Up, id: &str) -> (Option<i32>, Value) {
    let said = up.weir(&["trace", id, "--json"]);
    (said.code, serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{error}: {said:?}")))
}

async fn is_followed(log: Log) {
    let up = up(log, 200);
    let first = deliver(&up, 1).await;
    wait::until("the row", WITHIN, || Ok((rows(&up, "activities") == Some(1)).then_some(()))).unwrap();
    let (code, there) = trace(&up, &first);
    assert_eq!(
        (code, &there["complete"], &there["waiting"]),
        (Some(0), &true.into(), &Value::Array(vec![])),
        "{there}"
    );
    assert_eq!(
        (&there["events"][0]["came_with"], &there["events"][0]["activities"][0]["lake_rows"]),
        (&Value::Null, &1.into())
    );

    // Sent again: nothing comes of it, and it says what brought its event before.
    let again = deliver(&up, 1).await;
    assert_ne!(first, again);
    let (code, there) = wait::until("the repetition is read", WITHIN, || {
        let (code, there) = trace(&up, &again);
        Ok((there["waiting"] == Value::Array(vec![])).then_some((code, there)))
    })
    .unwrap();
    assert_eq!((code, &there["complete"]), (Some(0), &true.into()), "{there}");
    assert_eq!(
        (&there["events"][0]["came_with"], &there["events"][0]["activities"][0]["lake_rows"]),
        (&first.as_str().into(), &1.into()),
        "{there}"
    );

    let nothing = up.fails(&["trace", &"0".repeat(32)]);
    assert_eq!((nothing.code, nothing.err.contains("There is no delivery 0000")), (Some(3), true), "{nothing:?}");
    up.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_and_its_repetition_are_followed_into_the_lake() {
    is_followed(Log::Embedded).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delivery_on_kafka_and_its_repetition_are_followed_into_the_lake() {
    is_followed(Log::Kafka).await;
}
