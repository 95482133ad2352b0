-- compatible-from: 018_occurred_index

-- Whether a server can read compressed payloads. Payloads are stored compressed once all servers can: see
-- store/sqlite/compression.py, which then removes the compatibility of this migration.
ALTER TABLE server_processes ADD COLUMN reads_compressed INTEGER NOT NULL DEFAULT 0;

-- Ended tasks for which a version did not project which event ended them are folded again when the database is opened,
-- unless they are long.
INSERT OR IGNORE INTO tasks_to_fold
SELECT task_id FROM (
  SELECT task_id FROM tasks
  WHERE CASE WHEN typeof(state) = 'text' AND json_valid(state)
    THEN json_extract(state, '$.ended_seq') > 0 AND json_extract(state, '$.outcome_seq') IS NULL END
  ORDER BY created_at DESC LIMIT 200
)
JOIN task_event_seq_counters USING (task_id) WHERE last_seq BETWEEN 1 AND 5000;

-- Databases of a version that had one index in place of the other two.
DROP INDEX IF EXISTS task_events_happened;
CREATE INDEX IF NOT EXISTS task_events_created ON task_events (task_id, created_at);
CREATE INDEX IF NOT EXISTS task_events_occurred ON task_events (task_id, occurred_at) WHERE occurred_at IS NOT NULL;
