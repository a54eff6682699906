//! What keeps a table in good order: few large files, and none that nobody needs.

pub mod compact;
pub mod vacuum;

pub use compact::{Compacted, compact};
pub use vacuum::{Vacuumed, vacuum};
