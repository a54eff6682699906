//! What all Parquet files of the lake have in common, whoever writes them. Writing and merging hold a row group in memory, and
//! of each column a page: there are some seventy columns.

/// Who wrote a Parquet file, as it says of itself. The shape is Parquet's. Where Spark cannot read the writer's version, it
/// warns with a stack trace, and does not use what the file says of a column without values.
pub const WRITTEN_BY: &str = concat!("weir version ", env!("CARGO_PKG_VERSION"));

/// Rows of one row group at most: what an engine reads at once.
pub const ROW_GROUP_ROWS: usize = 128 * 1024;

/// Bytes of one row group, about, before another one begins.
pub const ROW_GROUP_BYTES: usize = 16 << 20;

/// What each column gathers before a page of it is compressed, in bytes.
pub const PAGE_BYTES: usize = 64 * 1024;
