-- compatible-from: 001_initial

-- PostgreSQL compresses long values by itself. With lz4 it reads them two to three times as fast as with its default, pglz,
-- and they take about a tenth more space. Values that are stored already stay as they are.
DO $$
BEGIN
  ALTER TABLE task_events ALTER COLUMN payload SET COMPRESSION lz4;
  ALTER TABLE task_events ALTER COLUMN plain SET COMPRESSION lz4;
  ALTER TABLE task_events ALTER COLUMN brief SET COMPRESSION lz4;
EXCEPTION WHEN feature_not_supported THEN
  NULL; -- This server was built without lz4.
END
$$;

-- Ended tasks of versions that did not store which event changed the outcome last: for these it is the one that ended them.
UPDATE tasks SET state = regexp_replace(state, '"ended_seq":([1-9][0-9]*)', '"ended_seq":\1,"outcome_seq":\1')
WHERE state LIKE '%"ended_seq":%' AND state NOT LIKE '%"outcome_seq":%' AND state NOT LIKE '%"ended_seq":%"ended_seq":%';
