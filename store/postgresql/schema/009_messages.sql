-- compatible-from: 001_initial

-- The messages of people to a run, which pages read. `open` is 1 until the run has taken the message, and
-- `state` is the whole value as JSON.
CREATE TABLE task_messages (
  task_id     text COLLATE "C" NOT NULL,
  seq         bigint NOT NULL,
  open        smallint NOT NULL,
  changed_seq bigint NOT NULL,
  state       text COLLATE "C" NOT NULL,
  PRIMARY KEY (task_id, seq)
);

-- The index of closed requests, newest first.
ALTER TABLE task_permissions
  ADD COLUMN closed_at text COLLATE "C" GENERATED ALWAYS AS (json_text(state, 'closed_at')) STORED;
CREATE INDEX task_permissions_closed ON task_permissions (closed_at, task_id, seq)
  WHERE open = 0 AND closed_at IS NOT NULL;
