-- The projection has changed: events after the end count, and an interruption can be undone. When the database is opened,
-- each task in this table is folded again (store/sqlite/refold.py).
CREATE TABLE tasks_to_fold (task_id TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO tasks_to_fold SELECT task_id FROM task_event_seq_counters WHERE last_seq > 0;
