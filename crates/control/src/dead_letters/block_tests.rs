use common::identity::Id;

use super::*;

fn letter(n: u32) -> DeadLetter {
    DeadLetter { id: Id::of("test", "", &[&n.to_be_bytes()]).to_string(), ..DeadLetter::default() }
}

#[test]
fn ids_are_found_and_few_others_seem_to_be_there() {
    let mut block = Block::new(0);
    (0..BLOCK as u32).for_each(|n| block.add(0, &letter(n), 5));
    let has = |block: &Block, n: u32| block.may_have(short(&letter(n).id).unwrap());
    assert!(has(&block, 17) && !has(&block, 5000));
    block.compress();
    assert!((0..BLOCK as u32).all(|n| has(&block, n)));
    let wrong = (10_000..30_000).filter(|n| has(&block, *n)).count();
    assert!(wrong < 40, "{wrong} of 20000");
    let counted = block.counts[&(0, 0)];
    assert_eq!((counted.count, block.counts.len()), (BLOCK as u64, 1));
}

#[test]
fn an_id_that_is_none_has_no_short_form() {
    assert_eq!((short("what I call it"), short(""), short(&"x".repeat(32))), (None, None, None));
    let ids: std::collections::HashSet<_> = (0..1000).map(|n| short(&format!("{n:032x}")).unwrap()).collect();
    assert_eq!(ids.len(), 1000);
}
