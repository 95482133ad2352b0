-- Who wrote an event: `server` for the server itself, also in the name of a person; `import` for a log that was imported;
-- null for a run or any other emitter. What an emitter writes of a person's act is a claim.
ALTER TABLE task_events ADD COLUMN origin TEXT;

-- Who did it, as accounts and tokens: names can be alike. `project_id` and `identity` are those of the task at that time.
ALTER TABLE task_audits ADD COLUMN account_id TEXT;
ALTER TABLE task_audits ADD COLUMN token_id TEXT;
ALTER TABLE task_audits ADD COLUMN project_id TEXT;
ALTER TABLE task_audits ADD COLUMN identity TEXT;
CREATE INDEX task_audits_project ON task_audits (project_id, audit_id);

-- A task's identity is new at every creation: an id that is used again does not join two histories. It stands beside the
-- counter, where reading it costs one look into a small table.
ALTER TABLE task_event_seq_counters ADD COLUMN identity TEXT NOT NULL DEFAULT '';
UPDATE task_event_seq_counters SET identity = lower(hex(randomblob(8)));
UPDATE tasks SET state = json_set(state, '$.identity',
  coalesce((SELECT identity FROM task_event_seq_counters c WHERE c.task_id = tasks.task_id), ''))
-- A damaged row affects no other.
WHERE CASE typeof(state) WHEN 'text' THEN json_valid(state) ELSE 0 END;

-- An audit belongs to the task that has its id now, unless a task of this id was deleted after it.
UPDATE task_audits SET
  project_id = (SELECT project_id FROM tasks t WHERE t.task_id = task_audits.task_id),
  identity = (SELECT identity FROM task_event_seq_counters c WHERE c.task_id = task_audits.task_id)
WHERE task_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM task_audits d
  WHERE d.task_id = task_audits.task_id AND d.action = 'task_deleted' AND d.audit_id >= task_audits.audit_id
);

-- Answers and requests to cancel took effect whoever wrote them. They keep their effect: with an audit as what a person
-- of this server did, else as a claim.
UPDATE task_events SET origin = CASE WHEN EXISTS (
    SELECT 1 FROM task_audits a JOIN task_event_seq_counters c ON c.task_id = a.task_id AND c.identity = a.identity
    WHERE a.task_id = task_events.task_id AND a.seq = task_events.seq AND a.action = task_events.event_type
  ) THEN 'server' ELSE 'import' END
WHERE event_type IN ('permission_response', 'cancel_requested', 'retry_requested');
UPDATE task_events SET origin = CASE actor WHEN 'supervisor' THEN 'server' ELSE 'import' END
WHERE event_type = 'permission_cleared' AND (
  actor NOT IN ('runner', 'worker', 'lease', 'recovery', 'relay') OR payload LIKE '%"by"%' OR payload LIKE '%answered%'
);
UPDATE task_permissions SET state = json_set(state, '$.claimed', json('true'))
WHERE CASE WHEN open = 0 AND typeof(state) = 'text' THEN json_valid(state) ELSE 0 END AND EXISTS (
  SELECT 1 FROM task_events e WHERE e.task_id = task_permissions.task_id
  AND e.seq = CASE WHEN json_valid(task_permissions.state)
    THEN json_extract(task_permissions.state, '$.closed_seq') END AND e.origin = 'import'
);
