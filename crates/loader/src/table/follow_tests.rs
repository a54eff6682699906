use std::sync::Arc;
use std::time::Duration;

use deltalake_core::arrow::datatypes::{DataType, Field, Schema};
use futures_util::StreamExt as _;
use object_store::memory::InMemory;

use super::*;
use crate::schema;

async fn make(lake: &Lake, commits: i64) -> Table {
    let mut table = Table::new(lake, "t").unwrap();
    for n in 0..commits {
        table.refresh().await.unwrap();
        let mut actions = vec![Action::Txn(Transaction::new("application", n))];
        if n == 0 {
            let columns = schema::first(&[], [&Schema::new(vec![Field::new("id", DataType::Utf8, true)])]).unwrap();
            actions.extend(table.creating(&columns, &[]).unwrap());
        }
        let (_, outcome) = table.commit(&Commit::append(actions, &[]), Duration::from_secs(60)).await.unwrap();
        assert!(matches!(outcome, Outcome::Committed), "{outcome:?}");
    }
    table.refresh().await.unwrap();
    table
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_made_anew_is_not_taken_for_the_one_before() {
    let lake = Lake::with_store(Arc::new(InMemory::new()), "memory");
    let mut before = make(&lake, 3).await;
    assert!(matches!(before.refresh().await.unwrap(), News::Since(changes) if changes.is_empty()));
    let store = lake.store();
    let all = store.list(None).map_ok(|object| object.location).boxed();
    store.delete_stream(all).try_collect::<Vec<_>>().await.unwrap();
    // It has come further than the one before had.
    make(&lake, 5).await;
    assert!(matches!(before.refresh().await.unwrap(), News::Anew));
    assert_eq!((before.version(), before.application("application").await.unwrap()), (Some(4), Some(4)));
    assert!(matches!(before.refresh().await.unwrap(), News::Since(changes) if changes.is_empty()));
}
