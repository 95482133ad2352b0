-- compatible-from: 001_initial

-- The tags of tasks, for the filters of the task list. `created_at` is that of the task, for the order of the list. The
-- value of a removed tag is NULL.
CREATE TABLE task_tags (
  task_id     text COLLATE "C" NOT NULL,
  name        text COLLATE "C" NOT NULL,
  value       text COLLATE "C",
  created_at  text COLLATE "C" NOT NULL,
  changed_seq bigint NOT NULL,
  PRIMARY KEY (task_id, name)
);
CREATE INDEX task_tags_value ON task_tags (name, value, created_at, task_id) WHERE value IS NOT NULL;

-- Tasks whose metadata already has an object `tags`. The outer condition is checked before the inner rows are made.
INSERT INTO task_tags
SELECT task_id, tag.key, tag.value, created_at, 1
FROM (
  SELECT task_id, created_at, json_text(json_text(state, 'metadata'), 'tags') AS tags FROM tasks OFFSET 0
) AS found
CROSS JOIN LATERAL json_each_text(CASE WHEN left(ltrim(tags), 1) = '{' THEN tags::json ELSE '{}'::json END) AS tag
WHERE length(tag.key) BETWEEN 1 AND 64 AND length(tag.value) BETWEEN 1 AND 200
  AND tag.key = btrim(tag.key) AND tag.value = btrim(tag.value) AND strpos(tag.key, '=') = 0
ON CONFLICT DO NOTHING;

-- A server of the version before does not delete the tags of a task that it deletes. A move of the store deletes the row
-- of a task and inserts it again in one transaction, so the trigger looks only at the end.
CREATE FUNCTION delete_tags_of_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM task_tags WHERE task_id = OLD.task_id AND NOT EXISTS (SELECT 1 FROM tasks WHERE task_id = OLD.task_id);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER tasks_tags AFTER DELETE ON tasks DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION delete_tags_of_task();
