-- What counts as a failure, in one place: a reader of a long log jumps from one to the next. The index makes the jump
-- cost nothing in a log of any length. The LIKEs are cheap looks that spare most payloads the parsing.
ALTER TABLE task_events ADD COLUMN failure INTEGER GENERATED ALWAYS AS (
  event_type LIKE '%\_failed' ESCAPE '\'
  OR event_type = 'checkpoint_invalid'
  OR (
    event_type IN ('runner_exit', 'status')
    OR payload LIKE '%"level":"%'
    OR payload LIKE '%"error_code":%'
  )
  AND json_valid(payload)
  AND (
    lower(json_extract(payload, '$.level')) IN ('error', 'critical', 'fatal')
    OR coalesce(json_extract(payload, '$.error_code'), 0) NOT IN ('', 0)
    OR event_type = 'runner_exit' AND coalesce(json_extract(payload, '$.exit_code'), 0) <> 0
    OR event_type IN ('runner_exit', 'status')
      AND lower(json_extract(payload, '$.status')) IN ('failed', 'failure', 'error')
  )
) VIRTUAL;
CREATE INDEX task_events_failure ON task_events (task_id, seq) WHERE failure;
