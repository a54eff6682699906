//! A door with a hundred thousand endpoints, as a process of its own: what operators and Prometheus ask of it stays small.

use std::time::{Duration, Instant};

use bus::{Error, Receipt};
use common::registration::v1::Endpoint;
use tokio::task::JoinSet;
use weir_tests::{kafka, usage};

use crate::door::{Client, LISTEN, Operator, within};

const ENDPOINTS: usize = 100_000;
/// So many of them have deliveries: more than have series of their own, and more than the digest tells one by one (500).
const BUSY: usize = 625;
const OWN: usize = 200;
const SOON: Duration = Duration::from_secs(60);
/// What a page may have and take, and what the process may grow by for two looks at its metrics.
const BYTES: usize = 1_000_000;
const TIME: Duration = Duration::from_millis(50);
const GROWTH: u64 = 5_000_000;

fn name(n: usize) -> String {
    format!("customer-{n}-production-webhooks")
}

fn endpoint(operator: &Operator, n: usize) -> Endpoint {
    // Sealing takes longest: those that have deliveries have a secret.
    let secret = n.is_multiple_of(ENDPOINTS / BUSY).then(|| operator.seal(&name(n), "s3cret"));
    Endpoint { name: name(n), source: "github".into(), secrets: secret.into_iter().collect(), ..Endpoint::default() }
}

async fn register_all(operator: &Operator) {
    let mut sent: Vec<Receipt> = Vec::new();
    for n in 0..ENDPOINTS {
        let record = Operator::record(&name(n), endpoint(operator, n));
        loop {
            match operator.producer.try_send(record.clone()) {
                Ok(receipt) => break sent.push(receipt),
                // Room is where the oldest are on the log.
                Err(Error::Full) => {
                    for receipt in sent.drain(..) {
                        receipt.await.unwrap();
                    }
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
    for receipt in sent {
        receipt.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_endpoints_cost_no_series() {
    let operator = Operator::new(kafka::shared().unwrap().bootstrap(), "many");
    let process = operator.launch().start().unwrap();
    process.ready(SOON).unwrap();
    register_all(&operator).await;
    let client = Client(process.address(LISTEN).parse().unwrap());
    let last = name((BUSY - 1) * (ENDPOINTS / BUSY));
    within(SOON, "all are known", || async { client.deliver(&last, "s3cret", b"{}").await.status == 200 }).await;
    for some in (0..BUSY).collect::<Vec<_>>().chunks(50) {
        let deliver = |n: &usize| {
            let n = n * (ENDPOINTS / BUSY);
            async move { client.deliver(&name(n), "s3cret", b"{}").await.status }
        };
        let deliveries: JoinSet<u16> = some.iter().map(deliver).collect();
        assert!(deliveries.join_all().await.iter().all(|status| *status == 200));
    }

    let ask = |path: &str| {
        let began = Instant::now();
        let (status, page) = process.get(path).unwrap();
        assert_eq!(status, 200, "{path}");
        (page, began.elapsed())
    };
    let (page, _) = ask("/metrics");
    let before = usage::memory(process.pid()).unwrap().resident;
    ask("/metrics");
    ask("/metrics");
    let growth = usage::memory(process.pid()).unwrap().resident.saturating_sub(before);
    // What another program does on this machine at the same time is not what the page takes.
    let fastest = (0..10).map(|_| ask("/metrics").1).min().unwrap();
    assert!(page.len() <= BYTES && fastest <= TIME && growth <= GROWTH, "{}, {fastest:?}, {growth}", page.len());
    let taken = |line: &&str| line.starts_with("weir_endpoint_items_total{") && line.contains("\"taken_in\"");
    let series: Vec<&str> = page.lines().filter(taken).collect();
    assert_eq!(series.len(), OWN + 1, "{series:?}");
    let others = series.iter().find(|line| line.contains("\"(others)\"")).unwrap();
    assert!(others.ends_with(&format!(" {}", BUSY - OWN)), "{others}");
    // In all there are those that have no series of their own too, and the first that made sure.
    let all = format!("weir_stage_items_total{{stage=\"streaming\",what=\"sent_on\",reason=\"\"}} {}\n", BUSY + 1);
    assert!(page.contains(&all), "{page}");
    for path in ["/health", "/checks"] {
        let (page, took) = ask(path);
        assert!(page.len() <= BYTES && took <= Duration::from_secs(1), "{path}: {} bytes, {took:?}", page.len());
        assert!(path != "/health" || page.contains("(others)"), "{page}");
    }

    // One that is deleted is unknown at once, and what it had counted is read for a while.
    operator.remove(&name(0)).await;
    within(SOON, "it is gone", || async { client.deliver(&name(0), "s3cret", b"{}").await.status == 404 }).await;
    assert!(ask("/metrics").0.contains(&format!("endpoint=\"{}\"", name(0))));
    assert!(process.stop(SOON).unwrap().success(), "{}", process.logged().unwrap());
}
