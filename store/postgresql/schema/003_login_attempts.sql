-- compatible-from: 001_initial

-- Failed log-ins, and those in progress, in each budget that they count in. A budget is named by a digest. `at` and
-- `expires_at` are seconds since 1970.
CREATE TABLE login_attempts (
  attempt_id text COLLATE "C" NOT NULL,
  budget     text COLLATE "C" NOT NULL,
  at         double precision NOT NULL,
  expires_at double precision NOT NULL,
  PRIMARY KEY (budget, attempt_id)
);
CREATE INDEX login_attempts_attempt ON login_attempts (attempt_id);
CREATE INDEX login_attempts_expiry ON login_attempts (expires_at);

-- The networks from which accounts have logged in, as digests, with the time of the last log-in.
CREATE TABLE login_places (
  place text COLLATE "C" PRIMARY KEY,
  at    double precision NOT NULL
);
