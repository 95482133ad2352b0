-- When an event happened, if its emitter says that this differs from when it was appended (created_at).
ALTER TABLE task_events ADD COLUMN occurred_at TEXT;
