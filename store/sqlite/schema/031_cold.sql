-- compatible-from: 018_occurred_index

-- Tasks in cold storage, and tasks on their way there or back. `stage` says where the log of the task is:
--   packing    in the database; the file is being written
--   clearing   in the file; the rows in the database are being removed
--   cold       in the file
--   restoring  in the file; its rows are being written to the database
-- `place` is the directory or the bucket of the file, '' for the directory beside the database. `last_line` is the last
-- line of output, which the list of tasks shows. `holder` works on the task until `held_until`. Until `packing` has
-- ended, the columns that describe the file are NULL.
CREATE TABLE cold_tasks (
  task_id        TEXT PRIMARY KEY REFERENCES tasks (task_id) ON DELETE CASCADE,
  identity       TEXT NOT NULL,
  stage          TEXT NOT NULL CHECK (stage IN ('packing', 'clearing', 'cold', 'restoring')),
  place          TEXT NOT NULL,
  name           TEXT NOT NULL,
  bytes          INTEGER,
  sha256         TEXT,
  events         INTEGER,
  first_event_id INTEGER,
  last_event_id  INTEGER,
  moved_at       TEXT,
  last_line      TEXT,
  holder         TEXT,
  held_until     TEXT
) WITHOUT ROWID;
CREATE INDEX cold_tasks_events ON cold_tasks (last_event_id, first_event_id) WHERE stage <> 'packing';
CREATE INDEX cold_tasks_unfinished ON cold_tasks (task_id) WHERE stage <> 'cold';

-- 1 if the log of the task is in the file: in each stage but `packing`. An append reads it with the state of the task.
ALTER TABLE tasks ADD COLUMN cold INTEGER;
CREATE INDEX tasks_to_move ON tasks (active_at, task_id)
  WHERE cold IS NULL AND status IN ('done', 'failed', 'cancelled', 'interrupted');
