use super::*;

#[tokio::test]
async fn one_record_always_may() {
    let memory = Memory::new(10 * PIECE);
    let takes = |bytes| Weight { bytes, too_much: None };
    let large = memory.take(&takes(1000 * PIECE)).await.unwrap();
    assert!(memory.try_take(&takes(1)).is_none());
    drop(large);
    let _one = memory.try_take(&takes(6 * PIECE)).unwrap();
    assert!(memory.try_take(&takes(5 * PIECE)).is_none());
    assert!(memory.try_take(&takes(4 * PIECE - 1)).is_some());
}
