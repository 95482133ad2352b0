-- The writer of an event: `server` for the server (for itself or for a person), `import` for an imported log, NULL for a
-- run or another emitter. If an emitter appends an event about an act of a person, it is only a claim.
ALTER TABLE task_events ADD COLUMN origin TEXT;

-- The account and token of the actor, because names are not unique. `project_id` and `identity` are those of the task at
-- that time.
ALTER TABLE task_audits ADD COLUMN account_id TEXT;
ALTER TABLE task_audits ADD COLUMN token_id TEXT;
ALTER TABLE task_audits ADD COLUMN project_id TEXT;
ALTER TABLE task_audits ADD COLUMN identity TEXT;
CREATE INDEX task_audits_project ON task_audits (project_id, audit_id);

-- A task gets a new identity at every creation, so that reusing an id does not join two histories. It is stored with the
-- counter, because that table is small.
ALTER TABLE task_event_seq_counters ADD COLUMN identity TEXT NOT NULL DEFAULT '';
UPDATE task_event_seq_counters SET identity = lower(hex(randomblob(8)));
UPDATE tasks SET state = json_set(state, '$.identity',
  coalesce((SELECT identity FROM task_event_seq_counters c WHERE c.task_id = tasks.task_id), ''))
-- Skip damaged rows.
WHERE CASE typeof(state) WHEN 'text' THEN json_valid(state) ELSE 0 END;

-- An audit belongs to the present task with its id, unless a task with this id was deleted after the audit.
UPDATE task_audits SET
  project_id = (SELECT project_id FROM tasks t WHERE t.task_id = task_audits.task_id),
  identity = (SELECT identity FROM task_event_seq_counters c WHERE c.task_id = task_audits.task_id)
WHERE task_id IS NOT NULL AND NOT EXISTS (
  SELECT 1 FROM task_audits d
  WHERE d.task_id = task_audits.task_id AND d.action = 'task_deleted' AND d.audit_id >= task_audits.audit_id
);

-- In older versions, responses and requests to cancel had an effect whoever appended them. They keep it: an event with
-- an audit counts as the act of a person of this server, any other as a claim.
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
