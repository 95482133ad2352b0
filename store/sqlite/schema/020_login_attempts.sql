-- compatible-from: 018_occurred_index

-- Failed log-ins, and those in progress, in each budget that they count in. A budget is named by a digest. `at` and
-- `expires_at` are seconds since 1970.
CREATE TABLE login_attempts (
  attempt_id TEXT NOT NULL,
  budget     TEXT NOT NULL,
  at         REAL NOT NULL,
  expires_at REAL NOT NULL,
  PRIMARY KEY (budget, attempt_id)
) WITHOUT ROWID;
CREATE INDEX login_attempts_attempt ON login_attempts (attempt_id);
CREATE INDEX login_attempts_expiry ON login_attempts (expires_at);

-- The networks from which accounts have logged in, as digests, with the time of the last log-in.
CREATE TABLE login_places (
  place TEXT PRIMARY KEY,
  at    REAL NOT NULL
) WITHOUT ROWID;
