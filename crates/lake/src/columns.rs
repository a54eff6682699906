//! The table of activities: its name, its format and its columns. Columns only grow; none is renamed or changes its type.

/// The table.
pub const ACTIVITIES: &str = "activities";

/// The format of tables that are made now. It goes up when a column changes its type, which is never done to a table that
/// exists unless an operator asks for it. Format 1 had `day` as a text.
pub const FORMAT: u32 = 2;

/// The partition column: the UTC day of `received_at`, a date. It stands in the table's log, as `2026-03-01`, and not in
/// the files.
pub const DAY: &str = "day";
/// The partition columns, in their order.
pub const PARTITION_COLUMNS: &[&str] = &[DAY];

/// Identity of the activity; once in the table.
pub const ID: &str = "id";
/// The event it was made of.
pub const EVENT_ID: &str = "event_id";
/// Its place among the activities of the event.
pub const ORDINAL: &str = "ordinal";
/// The tenant.
pub const TENANT: &str = "tenant";
/// The endpoint that took the delivery in.
pub const ENDPOINT: &str = "endpoint";
/// The platform.
pub const SOURCE: &str = "source";
/// The account at the platform.
pub const ACCOUNT_ID: &str = "account_id";
/// What it is called: `o/r`, the page's name.
pub const ACCOUNT_NAME: &str = "account_name";
/// What it is: `repository`, `page`, `organization`.
pub const ACCOUNT_TYPE: &str = "account_type";
/// Where it is.
pub const ACCOUNT_URL: &str = "account_url";
/// Full protobuf name of the event.
pub const EVENT_TYPE: &str = "event_type";
/// What was done, as `comment`.
pub const VERB: &str = "verb";
/// The platform's own word for that, as `labeled`.
pub const ACTION: &str = "action";
/// Where to look at it: the first address of object, target, thread and account.
pub const URL: &str = "url";
/// Who did it.
pub const ACTOR_ID: &str = "actor_id";
/// Their name.
pub const ACTOR_NAME: &str = "actor_name";
/// Their handle.
pub const ACTOR_HANDLE: &str = "actor_handle";
/// What they are.
pub const ACTOR_TYPE: &str = "actor_type";
/// What it was done to or made.
pub const OBJECT_ID: &str = "object_id";
/// What that is.
pub const OBJECT_TYPE: &str = "object_type";
/// Where it is.
pub const OBJECT_URL: &str = "object_url";
/// Its title.
pub const OBJECT_TITLE: &str = "object_title";
/// Its status.
pub const OBJECT_STATUS: &str = "object_status";
/// Who made it.
pub const OBJECT_AUTHOR_ID: &str = "object_author_id";
/// Their name.
pub const OBJECT_AUTHOR_NAME: &str = "object_author_name";
/// Their handle.
pub const OBJECT_AUTHOR_HANDLE: &str = "object_author_handle";
/// Where it was done.
pub const TARGET_ID: &str = "target_id";
/// What that is.
pub const TARGET_TYPE: &str = "target_type";
/// Where it is.
pub const TARGET_URL: &str = "target_url";
/// Its title.
pub const TARGET_TITLE: &str = "target_title";
/// Its status.
pub const TARGET_STATUS: &str = "target_status";
/// Who made it.
pub const TARGET_AUTHOR_ID: &str = "target_author_id";
/// Their name.
pub const TARGET_AUTHOR_NAME: &str = "target_author_name";
/// Their handle.
pub const TARGET_AUTHOR_HANDLE: &str = "target_author_handle";
/// What it was done with: the label set, the person assigned, the photo of a post.
pub const INSTRUMENT_ID: &str = "instrument_id";
/// What that is.
pub const INSTRUMENT_TYPE: &str = "instrument_type";
/// Where it is.
pub const INSTRUMENT_URL: &str = "instrument_url";
/// Its title.
pub const INSTRUMENT_TITLE: &str = "instrument_title";
/// The post, media, issue, pull request or discussion that it belongs to.
pub const THREAD_ID: &str = "thread_id";
/// What that is.
pub const THREAD_TYPE: &str = "thread_type";
/// Where it is.
pub const THREAD_URL: &str = "thread_url";
/// Its title.
pub const THREAD_TITLE: &str = "thread_title";
/// The number of the thread, else of the object, 64 bits.
pub const NUMBER: &str = "number";
/// The name of the workflow.
pub const WORKFLOW: &str = "workflow";
/// The run of it.
pub const RUN_ID: &str = "run_id";
/// Where that is.
pub const RUN_URL: &str = "run_url";
/// Which attempt of the run it is, from 1, 64 bits.
pub const RUN_ATTEMPT: &str = "run_attempt";
/// The branch.
pub const BRANCH: &str = "branch";
/// The hash of the commit.
pub const COMMIT: &str = "commit";
/// The text.
pub const TEXT: &str = "text";
/// The reaction.
pub const REACTION: &str = "reaction";
/// Links, a list of texts.
pub const LINKS: &str = "links";
/// The language of the text, ISO 639-3.
pub const LANGUAGE: &str = "language";
/// Hashtags, a list of texts.
pub const HASHTAGS: &str = "hashtags";
/// Handles named in the text, a list of texts.
pub const MENTIONS: &str = "mentions";
/// What look-ups and reference data said, a map of texts.
pub const ATTRIBUTES: &str = "attributes";
/// Whether a step of the enrichment failed.
pub const PARTIAL: &str = "partial";
/// When it happened; UTC, microseconds.
pub const OCCURRED_AT: &str = "occurred_at";
/// Where `occurred_at` comes from: `sent`, `reported`, `missing`, `absurd` or `unreadable`.
pub const TIME_QUALITY: &str = "time_quality";
/// When the door took the delivery in; UTC, microseconds.
pub const RECEIVED_AT: &str = "received_at";
/// When it was enriched; UTC, microseconds.
pub const ENRICHED_AT: &str = "enriched_at";
/// The delivery it came with.
pub const DELIVERY_ID: &str = "delivery_id";
/// The trace it belongs to, 32 hex digits.
pub const TRACE_ID: &str = "trace_id";
/// The identity of the log it came from.
pub const WEIR_LOG: &str = "weir_log";
/// The topic, with prefix.
pub const WEIR_TOPIC: &str = "weir_topic";
/// The partition, 32 bits.
pub const WEIR_PARTITION: &str = "weir_partition";
/// The offset, 64 bits: the column by which rows that are loaded already are told.
pub const WEIR_OFFSET: &str = "weir_offset";
