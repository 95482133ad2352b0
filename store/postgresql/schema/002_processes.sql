-- compatible-from: 001_initial

-- The running processes that serve this database, and numbers that they share, such as the streams of a caller.
-- `seen_at` is the time of the last report in seconds since 1970. A process that has not reported for some seconds is
-- ignored, and its row is deleted later.
CREATE TABLE server_processes (
  process_id text COLLATE "C" PRIMARY KEY,
  seen_at    double precision NOT NULL
) WITH (fillfactor = 50);

CREATE TABLE process_counts (
  process_id text COLLATE "C" NOT NULL REFERENCES server_processes ON DELETE CASCADE,
  kind       text COLLATE "C" NOT NULL,
  name       text COLLATE "C" NOT NULL,
  count      bigint NOT NULL,
  PRIMARY KEY (process_id, kind, name)
) WITH (fillfactor = 50);
CREATE INDEX process_counts_name ON process_counts (kind, name);
