-- Who replayed which dead letters. Times are milliseconds since 1970.
CREATE TABLE replays (
    id TEXT NOT NULL PRIMARY KEY,
    started_at BIGINT NOT NULL,
    sent BIGINT NOT NULL,
    record BYTEA NOT NULL
);
CREATE INDEX replays_by_start ON replays (started_at);
