//! Writing onto the page.

/// Writing to a String does not fail.
macro_rules! put {
    ($out:expr, $($text:tt)*) => { let _ = write!($out, $($text)*); };
}
pub(super) use put;
