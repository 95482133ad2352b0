-- 1: what a run shows and may still change, such as a progress bar: state of the task, replaced a few times a second, no event.
CREATE TABLE task_unfinished (
  task_id TEXT PRIMARY KEY REFERENCES tasks (task_id) ON DELETE CASCADE,
  lines TEXT NOT NULL,
  updated_at TEXT NOT NULL
) WITHOUT ROWID;
