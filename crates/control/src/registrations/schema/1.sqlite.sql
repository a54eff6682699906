CREATE TABLE registrations (
    id TEXT NOT NULL PRIMARY KEY,
    endpoint TEXT NOT NULL,
    is_account INTEGER NOT NULL,
    tenant TEXT NOT NULL,
    revision INTEGER NOT NULL,
    record BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX registrations_by_endpoint ON registrations (endpoint, is_account);
CREATE INDEX registrations_by_tenant ON registrations (tenant, id);
-- An endpoint belongs to one tenant for ever, also after it was removed.
CREATE TABLE endpoint_tenants (
    endpoint TEXT NOT NULL PRIMARY KEY,
    tenant TEXT NOT NULL
) WITHOUT ROWID;
