-- A progress whose percentage was NaN was stored as null, and nothing could read such a row. CASE, unlike AND, parses
-- only what is valid: other damage stays as it is, and is shown as such.
UPDATE tasks SET state = json_remove(state, '$.progress')
  WHERE CASE WHEN state LIKE '%"percentage":null%' AND json_valid(state)
    THEN json_type(state, '$.progress.percentage') = 'null' END;
UPDATE task_spans SET state = json_remove(state, '$.progress')
  WHERE CASE WHEN state LIKE '%"percentage":null%' AND json_valid(state)
    THEN json_type(state, '$.progress.percentage') = 'null' END;
