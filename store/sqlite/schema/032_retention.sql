-- compatible-from: 018_occurred_index

-- Deleted tasks of which rows are still to be removed, in small steps: see store/sql/removal.py. The task itself is gone.
CREATE TABLE task_removals (
  task_id  TEXT PRIMARY KEY,
  identity TEXT NOT NULL,
  last_seq INTEGER NOT NULL,
  at       TEXT NOT NULL
) WITHOUT ROWID;

-- The hold of a task, as JSON: while it has one, the task is neither deleted nor moved.
ALTER TABLE tasks ADD COLUMN hold TEXT;
CREATE INDEX tasks_held ON tasks (created_at, task_id) WHERE hold IS NOT NULL;

-- About how many bytes the log of a task takes up to `seq`. `ended_at` is the time from which its age counts, or NULL as
-- long as it has not ended. The server measures tasks some time after they change: see store/sql/sizes.py.
CREATE TABLE task_sizes (
  task_id   TEXT PRIMARY KEY REFERENCES tasks (task_id) ON DELETE CASCADE,
  identity  TEXT NOT NULL,
  seq       INTEGER NOT NULL,
  bytes     INTEGER NOT NULL,
  artifacts INTEGER NOT NULL,
  ended_at  TEXT
) WITHOUT ROWID;
CREATE INDEX task_sizes_ended ON task_sizes (ended_at, task_id) WHERE ended_at IS NOT NULL;

-- The space that the store took at the last measurement of each day, in bytes, as JSON.
CREATE TABLE space_samples (
  day   TEXT PRIMARY KEY,
  space TEXT NOT NULL
) WITHOUT ROWID;
