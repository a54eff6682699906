//! Which of several names an input means.

/// The name that this number stands for: the one that it goes together with best, by a hash of both.
///
/// The inputs in `fuzz/corpus` hold numbers, and are kept for what they cover. Were a number the place in a list, a platform
/// or a header more would make most of them mean something else. So only those change that stand for what is new.
pub fn chosen(number: u16, names: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    names.max_by_key(|name| fnv(number.to_le_bytes().into_iter().chain(name.bytes())))
}

/// FNV-1a, written here because it must never change.
fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}
