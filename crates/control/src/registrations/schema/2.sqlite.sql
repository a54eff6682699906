-- Who replayed which dead letters. Times are milliseconds since 1970.
CREATE TABLE replays (
    id TEXT NOT NULL PRIMARY KEY,
    started_at INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    record BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX replays_by_start ON replays (started_at);
