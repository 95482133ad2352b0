-- The time when an event happened, if its emitter gave one that differs from the time of the append (created_at).
ALTER TABLE task_events ADD COLUMN occurred_at TEXT;
