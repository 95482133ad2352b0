-- compatible-from: 018_occurred_index

-- The list counts its tasks by status, kind and project from `tasks_facets`, without reading the tasks.
CREATE INDEX tasks_facets ON tasks (kind, status, stale, project_id, archived_at, created_at, title, task_id);
