//! Text of others on its way to a terminal.
//!
//! What senders wrote is in names, reasons and bodies, and a terminal obeys what it is told: with C0 and C1 controls it
//! moves, clears, sets its title or answers as if the operator typed; with controls of the direction of writing it shows
//! another order than there is. Each such character is shown as `\u009b`, which inside of a JSON text stands for the
//! same character, so that a JSON value stays the value it was.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Lines: all but line feeds and tabs.
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    replace(text, |c| is_control(c) && !matches!(c, '\n' | '\t'))
}

/// Lines with colours of our own: escape characters stay too, which whoever made the text has to have replaced.
#[must_use]
pub(crate) fn coloured(text: &str) -> Cow<'_, str> {
    replace(text, |c| is_control(c) && !matches!(c, '\n' | '\t' | '\u{1b}'))
}

/// A part of a line, as a column of a table: line feeds and tabs too, which would look like more lines and columns.
#[must_use]
pub fn word(text: &str) -> Cow<'_, str> {
    replace(text, is_control)
}

/// C0, DEL, C1, the separators of lines and paragraphs, and the controls of the direction of writing.
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn replace(text: &str, is_replaced: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.contains(&is_replaced) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_replaced(c) {
            // Writing to a String does not fail. None of them needs more than four digits.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
#[path = "escape_tests.rs"]
mod tests;
