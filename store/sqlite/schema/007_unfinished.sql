-- The lines that a run may still change, such as a progress bar. They are state of the task, not events, and are replaced
-- up to four times a second.
CREATE TABLE task_unfinished (
  task_id TEXT PRIMARY KEY REFERENCES tasks (task_id) ON DELETE CASCADE,
  lines TEXT NOT NULL,
  updated_at TEXT NOT NULL
) WITHOUT ROWID;
