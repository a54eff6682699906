//! The statements, and the versions of the schema.

use database::{Migration, Statement};

/// Step n brings version n to n + 1.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { sqlite: include_str!("schema/1.sqlite.sql"), postgres: include_str!("schema/1.postgres.sql") },
    Migration { sqlite: include_str!("schema/2.sqlite.sql"), postgres: include_str!("schema/2.postgres.sql") },
];

const READING: &str = "reading a registration";
const WRITING: &str = "writing a registration";

pub(super) const GET: Statement = Statement::new(READING, "SELECT record FROM registrations WHERE id = $1");

/// Nobody else may change the row until the transaction ends.
pub(super) const GET_FOR_SHARE: Statement = GET.on_postgres("SELECT record FROM registrations WHERE id = $1 FOR SHARE");

/// The row is about to change.
pub(super) const GET_FOR_UPDATE: Statement =
    GET.on_postgres("SELECT record FROM registrations WHERE id = $1 FOR UPDATE");

pub(super) const LIST: Statement = Statement::new(
    "listing registrations",
    "SELECT id, record FROM registrations WHERE id >= $1 AND id > $2 AND ($3 IS NULL OR id < $3) \
     AND ($4 = '' OR tenant = $4) ORDER BY id LIMIT $5",
);

pub(super) const ALL: Statement =
    Statement::new("reading all registrations", "SELECT id, record FROM registrations ORDER BY id").whole();

pub(super) const REVISIONS: Statement =
    Statement::new("reading the revisions", "SELECT id, revision FROM registrations").whole();

pub(super) const HAS_ACCOUNTS: Statement = Statement::new(
    "looking for accounts",
    "SELECT EXISTS (SELECT 1 FROM registrations WHERE endpoint = $1 AND is_account)",
);

pub(super) const FIRST_TENANT: Statement =
    Statement::new("reading an endpoint's tenant", "SELECT tenant FROM endpoint_tenants WHERE endpoint = $1");

pub(super) const PUT: Statement = Statement::new(
    WRITING,
    "INSERT INTO registrations (id, endpoint, is_account, tenant, revision, record) VALUES ($1, $2, $3, $4, $5, $6) \
     ON CONFLICT (id) DO UPDATE SET endpoint = excluded.endpoint, is_account = excluded.is_account, \
     tenant = excluded.tenant, revision = excluded.revision, record = excluded.record",
);

pub(super) const PUT_TENANT: Statement = Statement::new(
    WRITING,
    "INSERT INTO endpoint_tenants (endpoint, tenant) VALUES ($1, $2) ON CONFLICT (endpoint) DO NOTHING",
);

pub(super) const REMOVE: Statement =
    Statement::new("removing a registration", "DELETE FROM registrations WHERE id = $1");

pub(super) const PUT_REPLAY: Statement = Statement::new(
    "writing a replay",
    "INSERT INTO replays (id, started_at, sent, record) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (id) DO UPDATE SET sent = excluded.sent, record = excluded.record",
);

pub(super) const REPLAYS: Statement =
    Statement::new("listing replays", "SELECT id, record FROM replays ORDER BY started_at DESC, id LIMIT $1");

pub(super) const REPLAYED: Statement =
    Statement::new("counting replays", "SELECT COUNT(*), CAST(COALESCE(SUM(sent), 0) AS BIGINT) FROM replays");
