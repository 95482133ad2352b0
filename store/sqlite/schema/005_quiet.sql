-- 1: a log line that changed nothing but its task's counters, as most do. Who folds the log counts it without reading it.
ALTER TABLE task_events ADD COLUMN quiet INTEGER;
