-- A jump to a time finds the time that rows show: `occurred_at` if an event has one, else `created_at`.
CREATE INDEX task_events_occurred ON task_events (task_id, occurred_at) WHERE occurred_at IS NOT NULL;
