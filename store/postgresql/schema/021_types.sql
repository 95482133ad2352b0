-- compatible-from: 001_initial

-- The events that are not lines of output. They are few among the lines, and a search for a type, the timeline and the
-- page of a checkpoint would otherwise read every line to find them. A line of output costs nothing here. PostgreSQL
-- uses the index for queries that say `event_type <> 'log'`.
CREATE INDEX task_events_types ON task_events (task_id, seq, event_type) WHERE event_type <> 'log';

-- Most tasks have one span with nearly all others as its children. By such statistics PostgreSQL would read all spans
-- of a task to count the children of each. This share of different parents is assumed instead of the measured one.
ALTER TABLE task_spans ALTER COLUMN parent_span_id SET (n_distinct = -0.1);
ANALYZE task_spans;
