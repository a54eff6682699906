//! Words, names, and how to write them into JSON.

use std::fmt::Write as _;

/// Something for people to say. Some of it needs escapes, some is not ASCII: real text is like that.
pub(super) const PHRASES: &[&str] = &[
    "Finally got mine today, it was worth the wait!",
    "Does it come in green?",
    "Love this \u{2764}\u{fe0f}",
    "When does the shop on Harbour Street open again?",
    "I wrote to you \"twice\" and nobody answers.\nWhat now?",
    "¿Hacen envíos a Canarias?",
    "Das ist ja großartig, vielen Dank!",
    "Same here, no answer since Monday :(",
    "@Mira have you seen this?",
    "Thanks, that helped a lot",
    "Price went up again\u{2026}",
    "これ、かわいい",
    "How do I return it? The site says C:\\>error 500",
    "Best one so far 10/10",
    "Is the recipe somewhere online? I could not find it",
    "Sold out in two hours, unbelievable \u{1f631}",
];

/// What a page or an account says about itself.
pub(super) const POSTS: &[&str] = &[
    "We are open on Sunday from ten to four. Come and see the new things!",
    "The autumn collection is here \u{1f342}",
    "A short look behind the scenes of our workshop",
    "Winner of last week's draw: congratulations, Jonas!",
    "Neue Öffnungszeiten ab Montag: 8 bis 20 Uhr",
    "What should we bake next? Tell us in the comments",
    "Back in stock:\n\u{2022} small\n\u{2022} medium\n\u{2022} \"grande\"",
    "Thank you for 10,000 followers!",
];

const FIRST_NAMES: &[&str] = &[
    "Ada", "Bao", "Chidi", "Dana", "Elif", "Farid", "Greta", "Hana", "Ivo", "Jonas", "Kira", "Leif", "Mira", "Noor",
    "Oda", "Pavel",
];
const LAST_NAMES: &[&str] = &[
    "Novak", "Okafor", "Lindgren", "Tanaka", "Moreau", "O'Neill", "Silva", "Kowalski", "Yilmaz", "Brandt", "Reyes",
    "Haddad", "Ilves", "Costa", "Ferrari", "Nguyen",
];

/// A person of a platform. The same number is always the same person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Person(pub(super) u64);

impl Person {
    /// How many people there are.
    pub(super) const COUNT: u64 = 1 << 20;

    /// A person for the `n`th thing that somebody does. All people have their turn before one has
    /// it again, so that two equal acts of one person are never in the same second.
    pub(super) fn for_act(n: u64) -> Self {
        // An odd factor permutes the residues of a power of two.
        Self(n.wrapping_mul(0x9e37_79b1) % Self::COUNT)
    }

    /// The platform's id.
    pub(super) fn id(self) -> u64 {
        7_200_000_000_000_000 + self.0 * 1_009
    }

    /// The name shown to people.
    pub(super) fn push_name(self, out: &mut String) {
        out.push_str(FIRST_NAMES[(self.0 % 16) as usize]);
        out.push(' ');
        out.push_str(LAST_NAMES[(self.0 / 16 % 16) as usize]);
    }

    /// The handle.
    pub(super) fn push_handle(self, out: &mut String) {
        for c in FIRST_NAMES[(self.0 % 16) as usize].chars() {
            out.push(c.to_ascii_lowercase());
        }
        push_number(out, self.0);
    }
}

/// Adds `text` as a JSON string.
pub(super) fn push_json(out: &mut String, text: &str) {
    out.push('"');
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        let escape = match byte {
            b'"' => "\\\"",
            b'\\' => "\\\\",
            b'\n' => "\\n",
            0..=0x1f => " ",
            _ => continue,
        };
        out.push_str(&text[from..at]);
        out.push_str(escape);
        from = at + 1;
    }
    out.push_str(&text[from..]);
    out.push('"');
}

/// Adds a whole number.
pub(super) fn push_number(out: &mut String, number: impl std::fmt::Display) {
    // Writing to a string cannot fail.
    let _ = write!(out, "{number}");
}

/// Milliseconds since 1970 as a time in the form of RFC 3339, in whole seconds.
pub(super) fn push_rfc3339(out: &mut String, ms: i64) {
    push_number(out, prost_types::Timestamp { seconds: ms.div_euclid(1000), nanos: 0 });
}

/// Writes with `format!`'s syntax, where it cannot fail.
macro_rules! put {
    ($out:expr, $($arguments:tt)*) => {{
        use std::fmt::Write as _;
        let _ = write!($out, $($arguments)*);
    }};
}
pub(super) use put;

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
