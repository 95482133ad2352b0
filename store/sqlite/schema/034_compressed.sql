-- compatible-from: 018_occurred_index

-- Whether a server can read compressed payloads. Payloads are stored compressed once all servers can: see
-- store/sqlite/compression.py, which then removes the compatibility of this migration.
ALTER TABLE server_processes ADD COLUMN reads_compressed INTEGER NOT NULL DEFAULT 0;

-- Ended tasks of versions that did not store which event changed the outcome last: for these it is the one that ended them.
UPDATE tasks SET state = json_set(state, '$.outcome_seq', json_extract(state, '$.ended_seq'))
WHERE CASE WHEN typeof(state) = 'text' AND json_valid(state)
  THEN json_extract(state, '$.ended_seq') > 0 AND json_extract(state, '$.outcome_seq') IS NULL END;

-- Databases of a version that had one index in place of the other two.
DROP INDEX IF EXISTS task_events_happened;
CREATE INDEX IF NOT EXISTS task_events_created ON task_events (task_id, created_at);
CREATE INDEX IF NOT EXISTS task_events_occurred ON task_events (task_id, occurred_at) WHERE occurred_at IS NOT NULL;
