-- Durable consumers: the position of each in the log, and the holder and expiry of its lease. `epoch` is the epoch of the
-- database when `position` was written. In another database the position is not valid. `renewals` grows with each claim
-- and commit of the holder, so that a waiting process can see without a clock that the holder is alive.
CREATE TABLE consumers (
  name       TEXT PRIMARY KEY,
  epoch      TEXT NOT NULL,
  position   INTEGER NOT NULL,
  holder     TEXT,
  expires_at TEXT NOT NULL,
  renewals   INTEGER NOT NULL
) WITHOUT ROWID;
