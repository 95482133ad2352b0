-- Heartbeats no longer count as activity. Each task with heartbeats is folded again when the database is opened: see
-- store/sqlite/refold.py.
INSERT OR IGNORE INTO tasks_to_fold SELECT DISTINCT task_id FROM task_heartbeats;
