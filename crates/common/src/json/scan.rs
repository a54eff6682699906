//! Counts what a JSON text would become, before anything of it is built.
//!
//! A small text can be a large tree: `{},` are three bytes, and a message with all its fields some hundred. So values
//! are counted by the punctuation between them, in one pass that needs no memory, and what they take is estimated.

/// What an object takes: the smallest node of a map, then the message that it becomes. Measured, as the rest, by the tests of
/// processing's memory.
const OBJECT: u64 = 850;
/// What a value takes: its place, its name, its text, and its path where it has no field.
const VALUE: u64 = 180;
/// Copies of the text: as it came, as text, as fields, as the encoded event, and as what has no field.
const COPIES: u64 = 4;

/// Levels that are told apart: in a delivery, its list of entries, an entry, its list of items, an item, its value, and a list
/// in that, values can be items of their own.
const LEVELS: usize = 8;

/// What stands in a text.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scan {
    /// Its bytes.
    pub bytes: u64,
    /// Its values: at least as many as there are.
    pub values: u64,
    /// Its objects.
    pub objects: u64,
    /// Those of the values that stand in so many objects and lists.
    pub at_depth: [u64; LEVELS],
}

impl Scan {
    /// What it takes in memory to read it, and for what comes of it: a bound for the shapes that take most.
    pub fn memory(&self) -> u64 {
        let Self { bytes, values, objects, at_depth: _ } = *self;
        bytes.saturating_mul(COPIES) + values.saturating_mul(VALUE) + objects.saturating_mul(OBJECT)
    }
}

/// Counts the values of a text, whether it is JSON or not: of what is none, no more than a parser would read.
pub fn scan(text: &[u8]) -> Scan {
    let mut scan = Scan { bytes: text.len() as u64, ..Scan::default() };
    scan.value(0);
    let mut depth = 0_usize;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => skip_string(&mut bytes),
            b'{' | b'[' => {
                depth = depth.saturating_add(1);
                scan.objects += u64::from(*byte == b'{');
                scan.value(depth);
            }
            b',' => scan.value(depth),
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    scan
}

impl Scan {
    fn value(&mut self, depth: usize) {
        self.values += 1;
        if let Some(count) = self.at_depth.get_mut(depth) {
            *count += 1;
        }
    }
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
