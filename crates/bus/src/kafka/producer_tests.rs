use std::sync::mpsc;
use std::time::Duration;

use crate::kafka::teller::{self, Connection};
use crate::{Bus, Error, Headers, Record};

const TOPIC: &str = "things";
const OFFSET: u64 = 7;
const LIMIT: Duration = Duration::from_secs(60);

/// Refuses the first of two requests to one partition and takes the second: while it had too few replicas, and when it
/// had enough.
fn serve(mut connection: Connection, came: &mpsc::Sender<()>) -> std::io::Result<()> {
    const TOO_FEW_REPLICAS: u8 = 19;
    let mut first = None;
    loop {
        let request = connection.next()?;
        let answer = match request.kind {
            teller::API_VERSIONS => {
                const FETCH: u8 = 1;
                teller::versions(&[(teller::INIT_PRODUCER_ID, 0, 0), (teller::PRODUCE, 3, 3), (FETCH, 4, 4)])
            }
            teller::METADATA => teller::metadata(Some(connection.port), Some(TOPIC)),
            teller::INIT_PRODUCER_ID => teller::producer_id(1000),
            teller::PRODUCE => {
                // At the end nobody looks any more.
                let _ = came.send(());
                let Some(first) = first.take() else {
                    first = Some(request);
                    continue;
                };
                connection.answer(&first, &teller::produced(TOPIC, TOO_FEW_REPLICAS, u64::MAX))?;
                teller::produced(TOPIC, 0, OFFSET)
            }
            other => panic!("nobody offered request {other}"),
        };
        connection.answer(&request, &answer)?;
    }
}

/// librdkafka takes the first for written then: the broker would not have taken the second without it. It does, of a
/// producer that is new to it, and so what was refused would be acknowledged and lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_no_broker_has_acknowledged_is_not_delivered() {
    let (came, requests) = mpsc::channel();
    let mut settings = teller::listen(move |connection| serve(connection, &came));
    settings.producer.linger_ms = 0;
    let bus = Bus::open(&settings).unwrap();
    let producer = bus.producer().unwrap();
    let record = || Record::encoded(TOPIC, "key", b"value".to_vec(), Headers { id: "1".into(), ..Headers::default() });

    let first = producer.try_send(record()).unwrap();
    let requests = tokio::task::spawn_blocking(move || requests.recv_timeout(LIMIT).map(|()| requests)).await.unwrap();
    let second = producer.try_send(record()).unwrap();
    let first = tokio::time::timeout(LIMIT, first).await.unwrap();
    assert!(matches!(first, Err(Error::NotDelivered { .. })), "{first:?}");
    let second = tokio::time::timeout(LIMIT, second).await.unwrap().unwrap();
    assert_eq!(second.offset, i64::try_from(OFFSET).unwrap());
    drop(requests);
}
