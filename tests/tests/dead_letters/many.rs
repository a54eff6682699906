//! Very many letters, as a day after a storm has them: what is asked reads little of them.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::Instant;

use bus::{Coordinates, Headers, Record};
use common::deadletter::v1::{
    Coordinates as At, DeadLetter, GetRequest, ListRequest, ReplayRequest, Selection, StatsRequest, StatsResponse,
};
use common::identity::Id;
use common::time::{from_millis, to_millis};
use common::topics::DEAD_LETTERS;

use crate::place::{BROKEN, Log, Place, Stage, of, page};

const DELIVERIES: u32 = 10;
const ITEMS: u32 = 3000;
const ALL: u64 = (DELIVERIES * ITEMS) as u64;
/// What is counted together; a range of time has two edges, and there are two partitions.
const BLOCK: u64 = 4096;

/// When the letter of a number was refused: ten a second, the last just now.
fn refused_at(now: i64, number: u32) -> i64 {
    now - i64::from(DELIVERIES * ITEMS - number) * 100
}

fn letter(place: &Place, at: &Coordinates, number: u32, reason: &str, refused_at: i64) -> DeadLetter {
    DeadLetter {
        id: Id::of("many", "", &[&number.to_be_bytes()]).to_string(),
        stage: "processing".into(),
        reason: reason.into(),
        // Two partitions.
        source: if number.is_multiple_of(3) { "github" } else { "meta" }.into(),
        endpoint: place.endpoint.clone(),
        payload: page(&[BROKEN.to_owned()]).into(),
        content_type: "application/json".into(),
        failed_at: Some(from_millis(refused_at)),
        attempts: 1,
        coordinates: Some(At {
            log: at.log.to_string(),
            topic: at.topic.to_string(),
            partition: at.partition,
            offset: at.offset,
            index: number % ITEMS,
        }),
        ..DeadLetter::default()
    }
}

/// The letters of some deliveries, of which each has very many.
async fn storm(place: &Place, now: i64) -> Vec<Coordinates> {
    let mut originals = Vec::new();
    for n in 0..DELIVERIES {
        let delivery =
            place.delivery("meta", page(&[BROKEN.to_owned(), format!(r#"{{"field":"n","value":{n}}}"#)]), &[]);
        originals.push(place.put(&delivery).await);
    }
    let producer = place.bus.producer().unwrap();
    let mut sending = Vec::new();
    for number in 0..DELIVERIES * ITEMS {
        let at = &originals[(number / ITEMS) as usize];
        let reason = if number.is_multiple_of(1000) { "not_utf8" } else { "wrong_shape" };
        let letter = letter(place, at, number, reason, refused_at(now, number));
        let headers = Headers { id: letter.id.clone(), source: letter.stage.clone(), ..Headers::default() };
        let record = Record::new(&DEAD_LETTERS, letter.source.clone(), &letter, headers);
        let delivery = loop {
            match producer.try_send(record.clone()) {
                Err(bus::Error::Full) => tokio::task::yield_now().await,
                other => break other.unwrap(),
            }
        };
        sending.push(delivery);
    }
    for delivery in sending {
        delivery.await.unwrap();
    }
    originals
}

async fn stats(stage: &Stage, selection: Selection) -> StatsResponse {
    loop {
        let request = StatsRequest { selection: Some(selection.clone()) };
        let answer = stage.client.clone().stats(request).await.unwrap().into_inner();
        if answer.counted == answer.to_count {
            return answer;
        }
    }
}

pub(crate) async fn what_is_asked_of_very_many_reads_little(log: Log) {
    let place = Place::new(log, "many").await;
    let now = to_millis(&service::clock::timestamp());
    storm(&place, now).await;
    let stage = place.start().await;
    // What it cannot read of the deliveries itself is among them.
    let all = ALL + u64::from(DELIVERIES);
    place.letters(usize::try_from(all).unwrap()).await;

    // Counted once, and never read again for it.
    let counts = stats(&stage, Selection::default()).await;
    assert_eq!((counts.count, counts.to_count, counts.read), (all, all, 0));
    let rare = Selection { reason: "not_utf8".into(), ..Selection::default() };
    let counts = stats(&stage, rare.clone()).await;
    assert_eq!((counts.count, counts.read), (ALL / 1000, 0));
    let since = Selection { from: Some(from_millis(refused_at(now, 29_000))), source: "meta".into(), ..rare.clone() };
    let since = Selection { reason: String::new(), ..since };
    let counts = stats(&stage, since.clone()).await;
    // A third of them is of the other source. The stage's own are among them.
    let recent = (29_000..30_000).filter(|n| n % 3 != 0).count() + DELIVERIES as usize;
    assert_eq!(counts.count, recent as u64);
    assert!(counts.read <= 2 * BLOCK, "{}", counts.read);

    // The newest, page by page.
    let mut client = stage.client.clone();
    let mut request = ListRequest {
        page_size: 5,
        selection: Some(Selection { source: "github".into(), ..Selection::default() }),
        ..ListRequest::default()
    };
    let mut listed = Vec::new();
    for _ in 0..4 {
        let answer = client.list(request.clone()).await.unwrap().into_inner();
        assert!(answer.found.len() == 5 && answer.read <= 1000, "{} for {}", answer.read, answer.found.len());
        listed.extend(answer.found.into_iter().map(|found| found.dead_letter.unwrap().id));
        request.page_token = answer.next_page_token;
    }
    let expected = (0..DELIVERIES * ITEMS).rev().filter(|number| number % 3 == 0).take(20);
    let expected: Vec<_> = expected.map(|number| Id::of("many", "", &[&number.to_be_bytes()]).to_string()).collect();
    assert_eq!(listed, expected);
    // Those of a time.
    let request = ListRequest { page_size: 1000, selection: Some(since), ..ListRequest::default() };
    let answer = client.list(request).await.unwrap().into_inner();
    assert_eq!(answer.found.len(), recent);
    assert!(
        answer.next_page_token.is_empty() && answer.read <= 4 * BLOCK,
        "{} {:?}",
        answer.read,
        answer.next_page_token
    );
    // One of the first, by its id.
    let first = Id::of("many", "", &[&7_u32.to_be_bytes()]).to_string();
    let shown = client.get(GetRequest { id: first.clone() }).await.unwrap().into_inner();
    assert_eq!(shown.found.unwrap().dead_letter.unwrap().id, first);

    // Each original is read once, not once for each letter.
    let dry =
        ReplayRequest { dry_run: true, ..of(Selection { endpoint: place.endpoint.clone(), ..Selection::default() }) };
    let would = stage.replay(dry).await.unwrap().pop().unwrap();
    assert_eq!((would.selected, would.sent, would.done), (all, all, true), "{would:?}");
    assert!(would.originals <= 2 * u64::from(DELIVERIES), "{}", would.originals);
    let few = ReplayRequest { limit: 50, rate: 10_000, ..of(rare) };
    let sent = stage.replay(few).await.unwrap().pop().unwrap();
    assert_eq!((sent.selected, sent.sent), (30, 30));
    assert!(sent.originals <= u64::from(DELIVERIES), "{}", sent.originals);
    stage.stop().await;

    // A new process counts anew, and says the same.
    let more = place.letters(usize::try_from(all).unwrap() + 30).await.len() as u64;
    let stage = place.start().await;
    let counts = stats(&stage, Selection::default()).await;
    assert_eq!((counts.count, counts.to_count), (more, more));
    let ids: BTreeSet<_> = counts.kinds.iter().map(|kind| kind.reason.as_str()).collect();
    assert_eq!(ids, ["not_utf8", "wrong_shape"].into());
    stage.stop().await;
}

/// Ten million, with figures: `cargo test --release -p weir-tests --test dead_letters -- --ignored --nocapture ten_million`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes minutes and 5 GB; prints how long what is asked takes"]
async fn ten_million() {
    measured(10_000_000).await;
}

/// The same, sooner.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute and 500 MB; prints how long what is asked takes"]
async fn one_million() {
    measured(1_000_000).await;
}

async fn measured(count: u32) {
    let place = Place::new(Log::Embedded, "millions").await;
    let now = to_millis(&service::clock::timestamp());
    let at = place.put(&place.delivery("meta", "broken", &[])).await;
    let producer = place.bus.producer().unwrap();
    let say = |what: String| drop(writeln!(std::io::stderr(), "{what}"));
    let began = Instant::now();
    let mut sending = std::collections::VecDeque::new();
    for number in 0..count {
        let (refused_at, reason) =
            (now - i64::from(count - number) * 10, if number % 100_000 == 5 { "rare" } else { "wrong_shape" });
        let letter = letter(&place, &at, number, reason, refused_at);
        let headers = Headers { id: letter.id.clone(), source: letter.stage.clone(), ..Headers::default() };
        let record = Record::new(&DEAD_LETTERS, letter.source.clone(), &letter, headers);
        while sending.len() > 20_000 {
            let sent: bus::Receipt = sending.pop_front().unwrap();
            sent.await.unwrap();
        }
        sending.push_back(producer.try_send(record).unwrap());
    }
    for sent in sending {
        sent.await.unwrap();
    }
    say(format!("{count} letters written in {:.1?}", began.elapsed()));

    let stage = place.start().await;
    let mut client = stage.client.clone();
    let newest = ListRequest { page_size: 5, ..ListRequest::default() };
    let asked = Instant::now();
    let answer = client.list(newest.clone()).await.unwrap().into_inner();
    say(format!("list -n 5 at once after the start: {:.1?}, {} read", asked.elapsed(), answer.read));
    let began = Instant::now();
    let all = loop {
        let answer = client.stats(StatsRequest::default()).await.unwrap().into_inner();
        if answer.counted == answer.to_count {
            break answer;
        }
    };
    say(format!("all counted in {:.1?}: {}", began.elapsed(), all.count));
    assert_eq!(all.count, u64::from(count) + 1);
    let asked = Instant::now();
    let answer = client.stats(StatsRequest::default()).await.unwrap().into_inner();
    say(format!("stats: {:.1?}, {} read", asked.elapsed(), answer.read));
    let since = Selection { from: Some(from_millis(now - 3_600_000)), ..Selection::default() };
    let asked = Instant::now();
    let answer = client.stats(StatsRequest { selection: Some(since.clone()) }).await.unwrap().into_inner();
    say(format!("stats --since 1h: {:.1?}, {} of them, {} read", asked.elapsed(), answer.count, answer.read));
    for (what, selection) in [
        ("list -n 5", Selection::default()),
        ("list -n 5 --since 1h", since),
        ("list -n 5 --reason rare", Selection { reason: "rare".into(), ..Selection::default() }),
    ] {
        let (asked, mut found, mut read, mut token) = (Instant::now(), 0, 0, String::new());
        while found < 5 {
            let request = ListRequest { selection: Some(selection.clone()), page_size: 5 - found, page_token: token };
            let answer = client.list(request).await.unwrap().into_inner();
            (found, read, token) = (found + answer.found.len() as u32, read + answer.read, answer.next_page_token);
        }
        say(format!("{what}: {:.1?}, {read} read", asked.elapsed()));
    }
    let id = letter(&place, &at, 17, "", 0).id;
    let asked = Instant::now();
    client.get(GetRequest { id }).await.unwrap();
    say(format!("show, of one of the first: {:.1?}", asked.elapsed()));
    let some = ReplayRequest {
        dry_run: true,
        limit: 100_000,
        ..of(Selection { reason: "wrong_shape".into(), ..Selection::default() })
    };
    let asked = Instant::now();
    let would = stage.replay(some).await.unwrap().pop().unwrap();
    say(format!("replay --dry-run of 100,000: {:.1?}, {} originals read", asked.elapsed(), would.originals));
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    say(status.lines().filter(|line| line.starts_with("VmHWM")).collect());
    stage.stop().await;
}
