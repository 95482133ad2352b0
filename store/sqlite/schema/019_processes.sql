-- compatible-from: 018_occurred_index

-- The running processes that serve this database, and numbers that they share, such as the streams of a caller.
-- `seen_at` is the time of the last report in seconds since 1970. A process that has not reported for some seconds is
-- ignored, and its row is deleted later.
CREATE TABLE server_processes (
  process_id TEXT PRIMARY KEY,
  seen_at    REAL NOT NULL
) WITHOUT ROWID;

CREATE TABLE process_counts (
  process_id TEXT NOT NULL REFERENCES server_processes ON DELETE CASCADE,
  kind       TEXT NOT NULL,
  name       TEXT NOT NULL,
  count      INTEGER NOT NULL,
  PRIMARY KEY (process_id, kind, name)
) WITHOUT ROWID;
CREATE INDEX process_counts_name ON process_counts (kind, name);
