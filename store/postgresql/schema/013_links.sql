-- compatible-from: 001_initial

-- The links of the log's events: see `store/chain/links.py`. An event that an earlier version appended has none. The
-- column of a task has its newest link.
ALTER TABLE task_events ADD COLUMN link bytea;
ALTER TABLE tasks ADD COLUMN link bytea;

-- The time when an event of the task was last erased, or NULL.
ALTER TABLE tasks ADD COLUMN erased_at text COLLATE "C";

-- The signed heads of the logs. `identity` is that of the task when the head was signed: an imported head has another
-- one than its task. `reason` is `events`, `end` or `import`. `key_id` names the key of the signature.
CREATE TABLE signed_heads (
  task_id   text COLLATE "C" NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  seq       bigint NOT NULL,
  reason    text COLLATE "C" NOT NULL,
  key_id    text COLLATE "C" NOT NULL,
  identity  text COLLATE "C" NOT NULL,
  link      bytea NOT NULL,
  signed_at text COLLATE "C" NOT NULL,
  signature text COLLATE "C" NOT NULL,
  PRIMARY KEY (task_id, seq, reason, key_id, identity)
);

-- The imported events whose payload was redacted in the export, so that it does not fit its link. `digest` is the
-- SHA-256 of the event's canonical form as it was imported.
CREATE TABLE redacted_events (
  task_id text COLLATE "C" NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  seq     bigint NOT NULL,
  digest  bytea NOT NULL,
  PRIMARY KEY (task_id, seq)
);
