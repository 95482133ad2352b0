-- What a log says about its task has changed: events after the end count, and an interruption is taken back. Each task
-- here is folded anew when the database is opened (store/sqlite/refold.py).
CREATE TABLE tasks_to_fold (task_id TEXT PRIMARY KEY) WITHOUT ROWID;
INSERT INTO tasks_to_fold SELECT task_id FROM task_event_seq_counters WHERE last_seq > 0;
