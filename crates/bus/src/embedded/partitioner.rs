//! Which partition a key goes to: the one that Kafka's own clients choose, so that it is the same on either log.

/// The partition of a key; any, where there is none. `random` is asked only then.
pub(super) fn partition(key: &[u8], partitions: usize, random: impl FnOnce() -> usize) -> usize {
    let number = if key.is_empty() { random() } else { (murmur2(key) & 0x7fff_ffff) as usize };
    number % partitions.max(1)
}

/// Keys that are tried for one that leads to a partition: far more than any topic has partitions.
const TRIED: usize = 100_000;

/// For each partition of a topic that has so many, a key that leads to it.
pub(crate) fn keys(partitions: usize) -> Vec<String> {
    let mut keys = vec![None; partitions];
    let mut left = partitions;
    for key in (0..TRIED).map(|n| format!("weir-{n}")) {
        if left == 0 {
            break;
        }
        if let Some(slot @ None) = keys.get_mut(partition(key.as_bytes(), partitions, || 0)) {
            *slot = Some(key);
            left -= 1;
        }
    }
    keys.into_iter().flatten().collect()
}

/// Austin Appleby's MurmurHash2 with the seed that Kafka gives it.
fn murmur2(data: &[u8]) -> u32 {
    const MIX: u32 = 0x5bd1_e995;
    const SEED: u32 = 0x9747_b28c;
    // Records are far below 4 GiB.
    let mut hash = SEED ^ data.len() as u32;
    let (words, rest) = data.as_chunks::<4>();
    for word in words {
        let mut word = u32::from_le_bytes(*word).wrapping_mul(MIX);
        word ^= word >> 24;
        hash = hash.wrapping_mul(MIX) ^ word.wrapping_mul(MIX);
    }
    for (at, byte) in rest.iter().enumerate().rev() {
        hash ^= u32::from(*byte) << (8 * at);
    }
    if !rest.is_empty() {
        hash = hash.wrapping_mul(MIX);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(MIX);
    hash ^ (hash >> 15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_hash_that_kafka_uses() {
        // The values that Kafka's own tests name.
        for (key, expected) in [
            ("21", -973_932_308),
            ("foobar", -790_332_482),
            ("a-little-bit-long-string", -985_981_536),
            ("a-little-bit-longer-string", -1_486_304_829),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58_897_971),
            ("abc", 479_470_107),
        ] {
            assert_eq!(murmur2(key.as_bytes()), i32::cast_unsigned(expected), "{key}");
        }
    }

    #[test]
    fn each_partition_has_a_key_that_leads_to_it() {
        for partitions in [0, 1, 2, 6, 12, 100] {
            let led: Vec<_> = keys(partitions).iter().map(|key| partition(key.as_bytes(), partitions, || 0)).collect();
            assert_eq!(led, (0..partitions).collect::<Vec<_>>());
        }
    }

    #[test]
    fn without_a_key_any_partition_does() {
        assert_eq!(partition(b"", 6, || 20), 2);
        assert_eq!(partition(b"abc", 6, || unreachable!()), 479_470_107 % 6);
    }
}
