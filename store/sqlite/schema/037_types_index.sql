-- compatible-from: 018_occurred_index

-- The events that are not lines of output. They are few among the lines, and a search for a type, the timeline and the
-- page of a checkpoint would otherwise read every line to find them. A line of output costs nothing here. Queries must
-- say `event_type <> 'log'` in these words, or SQLite does not use the index.
CREATE INDEX task_events_types ON task_events (task_id, seq, event_type) WHERE event_type <> 'log';
