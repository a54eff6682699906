//! Lists in messages. A message has a bounded length, whatever it is about: the first of a list, and how many there are
//! beside them. The whole list is what a command or the log is for.

use std::fmt::{Display, Write as _};

/// How many are named.
pub const NAMED: usize = 3;

/// The first three, and how many more there are: `a, b, c, and 121 more` with `", "` between them.
#[must_use]
pub fn few<T: Display>(list: impl IntoIterator<Item = T>, between: &str) -> String {
    let mut text = String::new();
    let mut count = 0_usize;
    for one in list {
        if count < NAMED {
            // Writing to a String does not fail.
            let _ = write!(text, "{}{one}", if count > 0 { between } else { "" });
        }
        count += 1;
    }
    if count > NAMED {
        let _ = write!(text, "{between}and {} more", count - NAMED);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_told_by_its_first_and_its_count() {
        assert_eq!(few::<&str>([], ", "), "");
        assert_eq!(few(["a"], ", "), "a");
        assert_eq!(few(["a", "b", "c"], ", "), "a, b, c");
        assert_eq!(few(1..=124, "; "), "1; 2; 3; and 121 more");
    }
}
