-- The task list. Every order and filter has an index, so that a page takes the same time with any number of tasks.
-- `archived_at` and `stale` are properties of a task that do not come from its log.
ALTER TABLE tasks ADD COLUMN archived_at TEXT;
ALTER TABLE tasks ADD COLUMN stale INTEGER NOT NULL DEFAULT 0;
-- The second of the last event. An index on its microseconds would make each append 10 % slower.
ALTER TABLE tasks ADD COLUMN active_at TEXT NOT NULL DEFAULT '';
ALTER TABLE tasks ADD COLUMN duration REAL;
-- CASE skips a state that is not valid JSON, so that the migration does not fail.
UPDATE tasks SET active_at = substr(updated_at, 1, 19), duration = CASE WHEN json_valid(CAST(state AS TEXT)) THEN
  round((julianday(json_extract(CAST(state AS TEXT), '$.ended_at'))
    - julianday(json_extract(CAST(state AS TEXT), '$.started_at'))) * 86400, 3) END;
CREATE INDEX tasks_listed ON tasks (created_at, task_id) WHERE archived_at IS NULL;
CREATE INDEX tasks_listed_status ON tasks (status, created_at, task_id) WHERE archived_at IS NULL;
CREATE INDEX tasks_listed_active ON tasks (active_at, task_id) WHERE archived_at IS NULL;
CREATE INDEX tasks_listed_duration ON tasks (duration, task_id) WHERE archived_at IS NULL AND duration IS NOT NULL;
CREATE INDEX tasks_archived ON tasks (created_at, task_id) WHERE archived_at IS NOT NULL;
CREATE INDEX tasks_stale ON tasks (created_at, task_id) WHERE stale;

-- Named filters of the task list, shared by all people.
CREATE TABLE saved_views (
  view_id    INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT NOT NULL UNIQUE COLLATE NOCASE CHECK (name <> ''),
  filters    TEXT NOT NULL,
  created_at TEXT NOT NULL
);
