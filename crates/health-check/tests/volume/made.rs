//! Weeks that are made from a seed: a rhythm of days and weeks, hours that are louder and quieter than others, and chance.
//!
//! Only sums, products and roots are used, so that each machine makes the same weeks.

use crate::backtest::Recording;

/// Usual deliveries in an hour at noon, by endpoint.
const ENDPOINTS: [(&str, f64); 12] = [
    ("loud-1", 40_000.0),
    ("loud-2", 9_000.0),
    ("loud-3", 4_000.0),
    ("middle-1", 1_200.0),
    ("middle-2", 700.0),
    ("middle-3", 300.0),
    ("soft-1", 160.0),
    ("soft-2", 100.0),
    ("soft-3", 60.0),
    ("quiet-1", 25.0),
    ("quiet-2", 10.0),
    ("quiet-3", 3.0),
];

/// By hour (UTC): the night is the quietest, the afternoon the loudest.
const DAY: [f64; 24] = [
    0.30, 0.25, 0.22, 0.20, 0.20, 0.25, 0.35, 0.50, 0.70, 0.85, 0.95, 1.00, 1.00, 1.00, 1.05, 1.10, 1.05, 1.00, 0.95,
    0.90, 0.80, 0.65, 0.50, 0.40,
];
const WEEK: [f64; 7] = [1.0, 1.05, 1.05, 1.0, 0.95, 0.6, 0.55];

/// So loud is an hour of the week.
pub(crate) fn rhythm(hour: usize) -> f64 {
    DAY[hour % 24] * WEEK[hour / 24 % 7]
}

pub(crate) fn weeks(weeks: usize, seed: u64) -> Recording {
    let mut random = fastrand::Rng::with_seed(seed);
    let series = ENDPOINTS.iter().map(|(name, noon)| ((*name).to_owned(), endpoint(weeks, *noon, &mut random)));
    Recording { series: series.collect() }
}

pub(crate) fn endpoint(weeks: usize, noon: f64, random: &mut fastrand::Rng) -> Vec<u32> {
    let mut counts = Vec::with_capacity(weeks * 7 * 24 * 12);
    // What moves a sender: news, campaigns. It lasts for hours, and is a fifth of the usual, one time in three.
    let mut mood = 0.0;
    for hour in 0..weeks * 7 * 24 {
        mood = mood * 0.8 + bell(random) * 0.12;
        let mean = noon / 12.0 * rhythm(hour) * f64::max(0.2, 1.0 + mood);
        counts.extend((0..12).map(|_| chance(mean, random)));
    }
    counts
}

/// Mean 0, deviation 1.
fn bell(random: &mut fastrand::Rng) -> f64 {
    (0..12).map(|_| random.f64()).sum::<f64>() - 6.0
}

/// As many as come by chance where so many are to be expected (Poisson).
pub(crate) fn chance(mean: f64, random: &mut fastrand::Rng) -> u32 {
    if mean > 30.0 {
        return (mean + bell(random) * mean.sqrt() + 0.5).max(0.0) as u32;
    }
    // e^-mean, as the limit that it is.
    let least = (0..20).fold(1.0 - mean / f64::from(1 << 20), |power: f64, _| power * power);
    let (mut product, mut count) = (random.f64(), 0);
    while product > least {
        product *= random.f64();
        count += 1;
    }
    count
}
