//! Makes files part of the lake's tables, each row exactly once.
