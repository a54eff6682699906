//! Where the lake stands: its settings, and its object store.
