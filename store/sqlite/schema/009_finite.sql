-- A progress with the percentage NaN was stored as null, which made the row unreadable. CASE, unlike AND, parses only
-- valid JSON. Rows with other damage are left as they are.
UPDATE tasks SET state = json_remove(state, '$.progress')
  WHERE CASE WHEN state LIKE '%"percentage":null%' AND json_valid(state)
    THEN json_type(state, '$.progress.percentage') = 'null' END;
UPDATE task_spans SET state = json_remove(state, '$.progress')
  WHERE CASE WHEN state LIKE '%"percentage":null%' AND json_valid(state)
    THEN json_type(state, '$.progress.percentage') = 'null' END;

-- The index of open requests that expire, for the supervisor, so that it does not read the others.
ALTER TABLE task_permissions ADD COLUMN expires_at TEXT GENERATED ALWAYS AS (
  CASE WHEN typeof(state) = 'text' AND json_valid(state) THEN json_extract(state, '$.expires_at') END
) VIRTUAL;
CREATE INDEX task_permissions_expiry ON task_permissions (task_id, request_id) WHERE open = 1 AND expires_at IS NOT NULL;
-- For the inbox: the open requests of each task in order.
CREATE INDEX task_permissions_asked ON task_permissions (task_id, seq) WHERE open = 1;

-- Projections keep the first 4000 characters of a text. This cuts longer texts in older rows.
UPDATE tasks SET state = json_set(state, '$.message', substr(json_extract(state, '$.message'), 1, 4000) || '…')
  WHERE length(state) > 4000 AND CASE WHEN typeof(state) = 'text' AND json_valid(state)
    THEN length(json_extract(state, '$.message')) > 4001 END;
UPDATE tasks SET state = json_set(state, '$.error', substr(json_extract(state, '$.error'), 1, 4000) || '…')
  WHERE length(state) > 4000 AND CASE WHEN typeof(state) = 'text' AND json_valid(state)
    THEN length(json_extract(state, '$.error')) > 4001 END;
UPDATE tasks SET state = json_set(state, '$.runner_version', substr(json_extract(state, '$.runner_version'), 1, 4000) || '…')
  WHERE length(state) > 4000 AND CASE WHEN typeof(state) = 'text' AND json_valid(state)
    THEN length(json_extract(state, '$.runner_version')) > 4001 END;
UPDATE task_spans SET state = json_set(state, '$.message', substr(json_extract(state, '$.message'), 1, 4000) || '…')
  WHERE length(state) > 4000 AND CASE WHEN typeof(state) = 'text' AND json_valid(state)
    THEN length(json_extract(state, '$.message')) > 4001 END;
UPDATE task_spans SET state = json_set(state, '$.error', substr(json_extract(state, '$.error'), 1, 4000) || '…')
  WHERE length(state) > 4000 AND CASE WHEN typeof(state) = 'text' AND json_valid(state)
    THEN length(json_extract(state, '$.error')) > 4001 END;
UPDATE task_spans SET state = json_set(state, '$.work_type', substr(json_extract(state, '$.work_type'), 1, 4000) || '…')
  WHERE length(state) > 4000 AND CASE WHEN typeof(state) = 'text' AND json_valid(state)
    THEN length(json_extract(state, '$.work_type')) > 4001 END;
UPDATE task_spans SET state = json_set(state, '$.work_item_id', substr(json_extract(state, '$.work_item_id'), 1, 4000) || '…')
  WHERE length(state) > 4000 AND CASE WHEN typeof(state) = 'text' AND json_valid(state)
    THEN length(json_extract(state, '$.work_item_id')) > 4001 END;
UPDATE task_checkpoints SET state = json_set(state, '$.message', substr(json_extract(state, '$.message'), 1, 4000) || '…')
  WHERE length(state) > 4000 AND CASE WHEN typeof(state) = 'text' AND json_valid(state)
    THEN length(json_extract(state, '$.message')) > 4001 END;
UPDATE task_checkpoints SET state = json_set(state, '$.checkpoint_type', substr(json_extract(state, '$.checkpoint_type'), 1, 4000) || '…')
  WHERE length(state) > 4000 AND CASE WHEN typeof(state) = 'text' AND json_valid(state)
    THEN length(json_extract(state, '$.checkpoint_type')) > 4001 END;
UPDATE task_permissions SET state = json_set(state, '$.tool_name', substr(json_extract(state, '$.tool_name'), 1, 4000) || '…')
  WHERE length(state) > 4000 AND CASE WHEN typeof(state) = 'text' AND json_valid(state)
    THEN length(json_extract(state, '$.tool_name')) > 4001 END;
UPDATE task_permissions SET state = json_set(state, '$.reason', substr(json_extract(state, '$.reason'), 1, 4000) || '…')
  WHERE length(state) > 4000 AND CASE WHEN typeof(state) = 'text' AND json_valid(state)
    THEN length(json_extract(state, '$.reason')) > 4001 END;
UPDATE task_permissions SET state = json_set(state, '$.by', substr(json_extract(state, '$.by'), 1, 4000) || '…')
  WHERE length(state) > 4000 AND CASE WHEN typeof(state) = 'text' AND json_valid(state)
    THEN length(json_extract(state, '$.by')) > 4001 END;
UPDATE task_permissions SET state = json_set(state, '$.answer_reason', substr(json_extract(state, '$.answer_reason'), 1, 4000) || '…')
  WHERE length(state) > 4000 AND CASE WHEN typeof(state) = 'text' AND json_valid(state)
    THEN length(json_extract(state, '$.answer_reason')) > 4001 END;
