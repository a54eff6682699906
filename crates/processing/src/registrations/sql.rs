//! The statements that SQLite and PostgreSQL understand alike, and the versions of the schema.

/// One step of the schema. Steps are never changed once released: a new one is added behind the last.
pub(super) struct Migration {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

/// Step n brings version n to n + 1.
pub(super) const MIGRATIONS: &[Migration] = &[
    Migration { sqlite: include_str!("schema/1.sqlite.sql"), postgres: include_str!("schema/1.postgres.sql") },
    Migration { sqlite: include_str!("schema/2.sqlite.sql"), postgres: include_str!("schema/2.postgres.sql") },
];

pub(super) const GET: &str = "SELECT record FROM registrations WHERE id = $1";

/// PostgreSQL only: nobody else may change the row until the transaction ends.
pub(super) const GET_FOR_SHARE: &str = "SELECT record FROM registrations WHERE id = $1 FOR SHARE";

/// PostgreSQL only: the row is about to change.
pub(super) const GET_FOR_UPDATE: &str = "SELECT record FROM registrations WHERE id = $1 FOR UPDATE";

pub(super) const LIST: &str = "SELECT id, record FROM registrations \
     WHERE id >= $1 AND id > $2 AND ($3 IS NULL OR id < $3) AND ($4 = '' OR tenant = $4) ORDER BY id LIMIT $5";

pub(super) const ALL: &str = "SELECT id, record FROM registrations ORDER BY id";

pub(super) const REVISIONS: &str = "SELECT id, revision FROM registrations";

pub(super) const HAS_ACCOUNTS: &str = "SELECT EXISTS (SELECT 1 FROM registrations WHERE endpoint = $1 AND is_account)";

pub(super) const FIRST_TENANT: &str = "SELECT tenant FROM endpoint_tenants WHERE endpoint = $1";

pub(super) const PUT: &str = "INSERT INTO registrations (id, endpoint, is_account, tenant, revision, record) \
     VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO UPDATE SET endpoint = excluded.endpoint, \
     is_account = excluded.is_account, tenant = excluded.tenant, revision = excluded.revision, \
     record = excluded.record";

pub(super) const PUT_TENANT: &str =
    "INSERT INTO endpoint_tenants (endpoint, tenant) VALUES ($1, $2) ON CONFLICT (endpoint) DO NOTHING";

pub(super) const REMOVE: &str = "DELETE FROM registrations WHERE id = $1";

pub(super) const PUT_REPLAY: &str = "INSERT INTO replays (id, started_at, sent, record) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (id) DO UPDATE SET sent = excluded.sent, record = excluded.record";

pub(super) const REPLAYS: &str = "SELECT id, record FROM replays ORDER BY started_at DESC, id LIMIT $1";

pub(super) const REPLAYED: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(sent), 0) AS BIGINT) FROM replays";
