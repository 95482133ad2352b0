-- compatible-from: 018_occurred_index

-- The messages of people to a run, which pages read. `open` is 1 until the run has taken the message, and
-- `state` is the whole value as JSON.
CREATE TABLE task_messages (
  task_id     TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  seq         INTEGER NOT NULL,
  open        INTEGER NOT NULL,
  changed_seq INTEGER NOT NULL,
  state       TEXT NOT NULL,
  PRIMARY KEY (task_id, seq)
) WITHOUT ROWID;

-- The index of closed requests, newest first.
ALTER TABLE task_permissions ADD COLUMN closed_at TEXT GENERATED ALWAYS AS (
  CASE WHEN typeof(state) = 'text' AND json_valid(state) THEN json_extract(state, '$.closed_at') END
) VIRTUAL;
CREATE INDEX task_permissions_closed ON task_permissions (closed_at, task_id, seq)
  WHERE open = 0 AND closed_at IS NOT NULL;
