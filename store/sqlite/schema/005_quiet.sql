-- 1 for a log line that changed only counters of its task, as most do. A fold of the log counts it without reading it.
ALTER TABLE task_events ADD COLUMN quiet INTEGER;
