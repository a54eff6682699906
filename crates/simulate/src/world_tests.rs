use super::*;

#[test]
fn popularity_follows_the_exponent() {
    let mut rng = Rng::with_seed(1);
    let mut counts = |exponent| {
        let zipf = Zipf::new(10, exponent);
        let mut counts = [0_u32; 10];
        for _ in 0..100_000 {
            counts[zipf.pick(&mut rng) as usize] += 1;
        }
        counts
    };
    let even = counts(0.0);
    assert!(even.iter().all(|count| (9_000..11_000).contains(count)), "{even:?}");
    let skewed = counts(1.0);
    assert!((1.8..2.2).contains(&(f64::from(skewed[0]) / f64::from(skewed[1]))), "{skewed:?}");
    assert!(skewed[9] > 0);
}

#[test]
fn memory_is_bounded_and_empties() {
    let mut rng = Rng::with_seed(1);
    let mut memory = Memory::new();
    assert_eq!(memory.pick(&mut rng), None);
    for n in 0..1000 {
        memory.push(n);
    }
    assert!(memory.pick(&mut rng).is_some_and(|n| *n >= 1000 - MEMORY));
    let mut taken: Vec<usize> = std::iter::from_fn(|| memory.take(&mut rng)).collect();
    taken.sort_unstable();
    assert_eq!(taken, (1000 - MEMORY..1000).collect::<Vec<_>>());
}

#[test]
fn pages_alternate_between_two_tenants() {
    assert_ne!(Pages::page(0).tenant, Pages::page(1).tenant);
    assert_eq!(Pages::page(0).tenant, Pages::page(2).tenant);
    assert_ne!(Pages::page(0).id, Pages::page(1).id);
}
