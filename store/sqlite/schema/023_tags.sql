-- compatible-from: 018_occurred_index

-- The tags of tasks, for the filters of the task list. `created_at` is that of the task, for the order of the list. The
-- value of a removed tag is NULL. The index has the name and order of a page of the list: see store/sql/task_list.py.
CREATE TABLE task_tags (
  task_id     TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  name        TEXT NOT NULL,
  value       TEXT,
  created_at  TEXT NOT NULL,
  changed_seq INTEGER NOT NULL,
  PRIMARY KEY (task_id, name)
) WITHOUT ROWID;
CREATE INDEX task_tags_value ON task_tags (name, value, created_at, task_id) WHERE value IS NOT NULL;

-- Tasks whose metadata already has an object `tags`.
INSERT OR IGNORE INTO task_tags
SELECT tasks.task_id, tag.key, CASE tag.type WHEN 'true' THEN 'true' WHEN 'false' THEN 'false' ELSE CAST(tag.value AS TEXT) END,
  tasks.created_at, 1
FROM tasks, json_each(
  CASE WHEN typeof(tasks.state) = 'text' AND json_valid(tasks.state)
    THEN CASE json_type(tasks.state, '$.metadata.tags') WHEN 'object' THEN tasks.state -> '$.metadata.tags' END END
) AS tag
WHERE tag.type IN ('text', 'integer', 'real', 'true', 'false') AND length(tag.key) BETWEEN 1 AND 64
  AND length(tag.value) BETWEEN 1 AND 200 AND tag.key = trim(tag.key) AND tag.value = trim(tag.value)
  AND instr(tag.key, '=') = 0;
