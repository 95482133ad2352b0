-- Durable consumers: how far each has processed the log, and which process holds it until when. `epoch` is that of the
-- database when `position` was written: in another database the position means nothing. `renewals` grows with each claim
-- and commit of the holder, so a waiting process sees, without a clock, that the holder is alive.
CREATE TABLE consumers (
  name       TEXT PRIMARY KEY,
  epoch      TEXT NOT NULL,
  position   INTEGER NOT NULL,
  holder     TEXT,
  expires_at TEXT NOT NULL,
  renewals   INTEGER NOT NULL
) WITHOUT ROWID;
