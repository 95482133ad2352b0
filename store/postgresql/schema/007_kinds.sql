-- compatible-from: 001_initial

-- For the pages of kinds: the tasks of each kind in the order of their creation.
CREATE INDEX tasks_kind ON tasks (kind, created_at, task_id, project_id) WHERE kind IS NOT NULL;
