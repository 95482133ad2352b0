-- The log. event_id grows in commit order. AUTOINCREMENT keeps the id of a deleted event from being used again.
CREATE TABLE task_events (
  event_id       INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id        TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  seq            INTEGER NOT NULL CHECK (seq > 0),
  event_type     TEXT NOT NULL CHECK (event_type <> ''),
  phase          TEXT,
  actor          TEXT NOT NULL CHECK (actor <> ''),
  span_id        TEXT NOT NULL CHECK (span_id <> ''),
  parent_span_id TEXT,
  payload        TEXT NOT NULL,
  created_at     TEXT NOT NULL,
  key            TEXT
);
CREATE UNIQUE INDEX task_events_seq ON task_events (task_id, seq);
CREATE INDEX task_events_created ON task_events (task_id, created_at);
CREATE INDEX task_events_parent ON task_events (task_id, parent_span_id) WHERE parent_span_id IS NOT NULL;
CREATE INDEX task_events_phase ON task_events (task_id, phase, seq) WHERE phase IS NOT NULL;
CREATE UNIQUE INDEX task_events_key ON task_events (task_id, key) WHERE key IS NOT NULL;

CREATE TABLE task_event_seq_counters (
  task_id  TEXT PRIMARY KEY REFERENCES tasks (task_id) ON DELETE CASCADE,
  last_seq INTEGER NOT NULL CHECK (last_seq >= 0)
) WITHOUT ROWID;

-- Projections, which pages read. `state` is the whole value as JSON. The other columns are for queries.
CREATE TABLE tasks (
  task_id    TEXT PRIMARY KEY,
  created_at TEXT NOT NULL,
  status     TEXT NOT NULL,
  title      TEXT,
  kind       TEXT,
  updated_at TEXT NOT NULL,
  state      TEXT NOT NULL
);
CREATE INDEX tasks_created ON tasks (created_at, task_id);
CREATE INDEX tasks_status ON tasks (status, created_at, task_id);

CREATE TABLE task_phases (
  task_id     TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  phase       TEXT NOT NULL,
  first_seq   INTEGER NOT NULL,
  changed_seq INTEGER NOT NULL,
  state       TEXT NOT NULL,
  PRIMARY KEY (task_id, phase)
) WITHOUT ROWID;

CREATE TABLE task_spans (
  task_id        TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  span_id        TEXT NOT NULL,
  parent_span_id TEXT,
  started_seq    INTEGER NOT NULL,
  ended_seq      INTEGER,
  open           INTEGER NOT NULL,
  changed_seq    INTEGER NOT NULL,
  state          TEXT NOT NULL,
  PRIMARY KEY (task_id, span_id)
) WITHOUT ROWID;
CREATE INDEX task_spans_started ON task_spans (task_id, started_seq);
CREATE INDEX task_spans_ended ON task_spans (task_id, ended_seq) WHERE ended_seq IS NOT NULL;
CREATE INDEX task_spans_open ON task_spans (task_id, started_seq) WHERE open = 1;
CREATE INDEX task_spans_marks ON task_spans (task_id, started_seq) WHERE open = 0 AND ended_seq IS NULL;
CREATE INDEX task_spans_changed ON task_spans (task_id, changed_seq);
CREATE INDEX task_spans_parent ON task_spans (task_id, parent_span_id) WHERE parent_span_id IS NOT NULL;

CREATE TABLE task_checkpoints (
  task_id       TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  checkpoint_id TEXT NOT NULL,
  seq           INTEGER NOT NULL,
  changed_seq   INTEGER NOT NULL,
  state         TEXT NOT NULL,
  PRIMARY KEY (task_id, checkpoint_id)
) WITHOUT ROWID;
CREATE INDEX task_checkpoints_seq ON task_checkpoints (task_id, seq);

CREATE TABLE task_permissions (
  task_id     TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  request_id  TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  open        INTEGER NOT NULL,
  changed_seq INTEGER NOT NULL,
  state       TEXT NOT NULL,
  PRIMARY KEY (task_id, request_id)
) WITHOUT ROWID;
CREATE INDEX task_permissions_open ON task_permissions (seq) WHERE open = 1;

-- Audits of the actions of people. There is no foreign key, so that audits are kept when their task is deleted.
CREATE TABLE task_audits (
  audit_id INTEGER PRIMARY KEY AUTOINCREMENT,
  at       TEXT NOT NULL,
  actor    TEXT NOT NULL CHECK (actor <> ''),
  action   TEXT NOT NULL CHECK (action <> ''),
  task_id  TEXT,
  seq      INTEGER,
  source   TEXT,
  detail   TEXT NOT NULL
);
CREATE INDEX task_audits_task ON task_audits (task_id, audit_id);

-- The epoch identifies this history. A restored or recreated database has another epoch, so old cursors are not valid.
CREATE TABLE store_facts (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
