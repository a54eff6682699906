//! Listing, showing, counting.

use std::collections::BTreeSet;

use common::deadletter::v1::{GetRequest, ListRequest, Selection, StatsRequest};
use tonic::Code;
use tonic_types::StatusExt as _;

use crate::place::{BROKEN, Log, Place, comment, of, page};

pub(crate) async fn letters_are_listed_in_pages_shown_and_counted(log: Log) {
    let place = Place::new(log, "look").await;
    let stage = place.start().await;
    let mut client = stage.client.clone();
    let none = client.list(ListRequest::default()).await.unwrap().into_inner();
    assert_eq!((none.found.len(), none.next_page_token.as_str()), (0, ""));

    // One after the other, so that each has a time of its own.
    for n in 0..5 {
        let changes = [comment(&format!("1_{n}"), "fine"), BROKEN.to_owned()];
        place.put(&place.delivery("meta", page(&changes), &[])).await;
        place.letters(n + 1).await;
    }
    place.put(&place.delivery("github", "no json", &[("x-github-event", "ping")])).await;
    let written = place.letters(6).await;

    let mut request = ListRequest { page_size: 4, ..ListRequest::default() };
    let first = client.list(request.clone()).await.unwrap().into_inner();
    request.page_token = first.next_page_token.clone();
    let second = client.list(request).await.unwrap().into_inner();
    assert_eq!((first.found.len(), second.found.len(), second.next_page_token.as_str()), (4, 2, ""));
    let found: Vec<_> = first.found.into_iter().chain(second.found).collect();
    let times: Vec<_> = found
        .iter()
        .map(|found| common::time::to_millis(&found.dead_letter.as_ref().unwrap().failed_at.unwrap()))
        .collect();
    assert!(times.is_sorted_by(|newer, older| newer >= older), "{times:?}");
    let ids: BTreeSet<_> = found.iter().map(|found| found.dead_letter.as_ref().unwrap().id.clone()).collect();
    assert_eq!(ids, written.iter().map(|letter| letter.id.clone()).collect(), "each once");
    for found in &found {
        let letter = found.dead_letter.as_ref().unwrap();
        let whole = written.iter().find(|whole| whole.id == letter.id).unwrap();
        assert_eq!((letter.payload.len(), found.payload_bytes), (0, whole.payload.len() as u64));
    }

    let select = |selection: Selection| ListRequest { selection: Some(selection), ..ListRequest::default() };
    let count = async |selection: Selection| {
        stage.client.clone().list(select(selection)).await.unwrap().into_inner().found.len()
    };
    assert_eq!(count(Selection { source: "github".into(), ..Selection::default() }).await, 1);
    assert_eq!(count(Selection { reason: "wrong_shape".into(), ..Selection::default() }).await, 5);
    assert_eq!(count(Selection { endpoint: place.endpoint.clone(), ..Selection::default() }).await, 6);
    assert_eq!(count(Selection { stage: "loader".into(), ..Selection::default() }).await, 0);
    let third = written.iter().filter(|letter| letter.source == "meta").nth(2).unwrap();
    assert_eq!(count(Selection { from: third.failed_at, source: "meta".into(), ..Selection::default() }).await, 3);
    assert_eq!(count(Selection { until: third.failed_at, source: "meta".into(), ..Selection::default() }).await, 2);

    let shown = client.get(GetRequest { id: third.id.clone() }).await.unwrap().into_inner();
    assert_eq!(shown.found.unwrap().dead_letter.as_ref(), Some(third), "with its bytes");
    assert_eq!(shown.not_replayable, "");
    assert!(shown.replay.contains("raw.meta"), "{}", shown.replay);

    let stats = client.stats(StatsRequest::default()).await.unwrap().into_inner();
    assert_eq!((stats.count, stats.replays, stats.replayed), (6, 0, 0));
    let kinds: Vec<_> = stats.kinds.iter().map(|kind| (kind.reason.as_str(), kind.count)).collect();
    assert_eq!(kinds, [("wrong_shape", 5), ("not_json", 1)]);
    assert_eq!(stats.hours.iter().map(|hour| hour.count).sum::<u64>(), 6);
    stage.stop().await;
}

pub(crate) async fn what_cannot_be_asked_is_said(log: Log) {
    let place = Place::new(log, "asked").await;
    let stage = place.start().await;
    let mut client = stage.client.clone();
    let at = Some(common::time::from_seconds(1_800_000_000));
    let wrong = Selection { from: at, until: at, ..Selection::default() };
    let status =
        client.list(ListRequest { selection: Some(wrong.clone()), ..ListRequest::default() }).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("nothing could be selected"), "{}", status.message());
    let fields = status.get_error_details().bad_request().unwrap().field_violations.clone();
    assert_eq!(fields[0].field, "selection.until");
    assert_eq!(client.stats(StatsRequest { selection: Some(wrong) }).await.unwrap_err().code(), Code::InvalidArgument);

    let status = client.get(GetRequest { id: "12".into() }).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(client.get(GetRequest { id: "0".repeat(32) }).await.unwrap_err().code(), Code::NotFound);
    let token = ListRequest { page_token: "next".into(), ..ListRequest::default() };
    assert_eq!(client.list(token).await.unwrap_err().code(), Code::InvalidArgument);

    let mut request = of(Selection::default());
    let status = stage.replay(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().contains("has no criterion"), "{}", status.message());
    request.all = true;
    assert!(stage.replay(request.clone()).await.unwrap().pop().unwrap().done, "all of none");
    request.selection = Some(Selection { reason: "not_json".into(), ..Selection::default() });
    assert_eq!(stage.replay(request.clone()).await.unwrap_err().code(), Code::InvalidArgument);
    request.all = false;
    request.requested_by = " ".into();
    let status = stage.replay(request).await.unwrap_err();
    assert!(status.message().contains("requested_by"), "{}", status.message());
    stage.stop().await;
}
