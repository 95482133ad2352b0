-- A jump to a time finds the time that rows show: `occurred_at`, if an event has one.
DROP INDEX task_events_created;
CREATE INDEX task_events_happened ON task_events (task_id, coalesce(occurred_at, created_at));
