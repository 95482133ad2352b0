-- Texts have the collation "C", so that they compare and sort by code point as in SQLite, in every database locale.
-- Times are texts in the format of `store.times`. JSON is `text`: `jsonb` does not keep the order of keys, and neither
-- `json` nor `jsonb` can read a NUL. Tables that appends write have no foreign keys, because PostgreSQL would look up the
-- task for each event; `delete` removes the rows of a task itself.

-- The field `name` of the JSON object in `document` as text, or NULL if there is none. PostgreSQL cannot return a NUL in a
-- text, so it is replaced: see `store/postgresql/texts.py`.
CREATE FUNCTION json_text(document text, name text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN replace(document, '\u0000', '\udb80\udc00')::json ->> name;
EXCEPTION WHEN OTHERS THEN
  RETURN NULL;
END $$;

-- The end of the log, in one row that every write transaction updates. `commits` counts these transactions, and readers
-- see from it whether anything changed. `last_event_id` is not a sequence, because a sequence also shows the ids of
-- transactions that are not committed yet.
CREATE TABLE log_position (
  one           boolean PRIMARY KEY DEFAULT true CHECK (one),
  last_event_id bigint NOT NULL,
  commits       bigint NOT NULL
) WITH (fillfactor = 10);
INSERT INTO log_position (last_event_id, commits) VALUES (0, 0);

-- The last thousand transactions: number n, counted in `log_position.commits`, is in slot n % 1000 with a random token of
-- its writer. A writer that lost its connection during a commit finds out here whether it succeeded. The status of the
-- transaction id would not be reliable: a server that crashed may assign the same id again.
CREATE TABLE recent_commits (
  slot   smallint PRIMARY KEY,
  number bigint NOT NULL,
  token  text COLLATE "C" NOT NULL
) WITH (fillfactor = 50);
INSERT INTO recent_commits SELECT slot, 0, '' FROM generate_series(0, 999) AS slot;

-- The epoch identifies this history. A restored or recreated database has another epoch, so old cursors are not valid.
-- `people_version` is the number of changes to accounts, tokens and projects.
CREATE TABLE store_facts (
  name  text COLLATE "C" PRIMARY KEY,
  value text COLLATE "C" NOT NULL
);
INSERT INTO store_facts VALUES ('people_version', '0');

-- The log. event_id grows in commit order. `failure` is computed by `store.failures`, `plain` is the payload without
-- terminal escape sequences or NULL if it has none, `brief` is a shortened payload or NULL if the payload is short, and
-- `quiet` is 1 for an event that changed only counters.
CREATE TABLE task_events (
  event_id       bigint PRIMARY KEY,
  task_id        text COLLATE "C" NOT NULL,
  seq            bigint NOT NULL CHECK (seq > 0),
  event_type     text COLLATE "C" NOT NULL,
  phase          text COLLATE "C",
  actor          text COLLATE "C" NOT NULL,
  span_id        text COLLATE "C" NOT NULL,
  parent_span_id text COLLATE "C",
  payload        text COLLATE "C" NOT NULL,
  created_at     text COLLATE "C" NOT NULL,
  key            text COLLATE "C",
  origin         text COLLATE "C",
  occurred_at    text COLLATE "C",
  quiet          smallint,
  plain          text COLLATE "C",
  brief          text COLLATE "C",
  failure        boolean NOT NULL
);
CREATE UNIQUE INDEX task_events_seq ON task_events (task_id, seq);
CREATE INDEX task_events_created ON task_events (task_id, created_at, event_id);
CREATE INDEX task_events_occurred ON task_events (task_id, occurred_at, event_id) WHERE occurred_at IS NOT NULL;
CREATE INDEX task_events_parent ON task_events (task_id, parent_span_id) WHERE parent_span_id IS NOT NULL;
CREATE INDEX task_events_phase ON task_events (task_id, phase, seq) WHERE phase IS NOT NULL;
CREATE UNIQUE INDEX task_events_key ON task_events (task_id, key) WHERE key IS NOT NULL;
CREATE INDEX task_events_failure ON task_events (task_id, seq) WHERE failure;

-- Projections, which pages read. `state` is the whole value as JSON. The other columns are for queries. `last_seq` is the
-- counter of the task's log. Each append updates a row of `tasks`: free space on its page lets PostgreSQL do this without
-- touching the indexes, and a high target keeps the state in the row.
CREATE TABLE tasks (
  task_id     text COLLATE "C" PRIMARY KEY,
  identity    text COLLATE "C" NOT NULL,
  last_seq    bigint NOT NULL CHECK (last_seq >= 0),
  created_at  text COLLATE "C" NOT NULL,
  updated_at  text COLLATE "C" NOT NULL,
  active_at   text COLLATE "C" NOT NULL,
  archived_at text COLLATE "C",
  status      text COLLATE "C" NOT NULL,
  stale       boolean NOT NULL DEFAULT false,
  title       text COLLATE "C",
  kind        text COLLATE "C",
  project_id  text COLLATE "C" NOT NULL,
  duration    double precision,
  state       text COLLATE "C" NOT NULL
) WITH (fillfactor = 50, toast_tuple_target = 8160);
-- SQLite has a table of this name. The view lets both kinds of store use the same queries.
CREATE VIEW task_event_seq_counters AS SELECT task_id, last_seq, identity FROM tasks;
CREATE INDEX tasks_created ON tasks (created_at, task_id);
CREATE INDEX tasks_status ON tasks (status, created_at, task_id);
CREATE INDEX tasks_project ON tasks (project_id, created_at, task_id);
CREATE INDEX tasks_listed ON tasks (created_at, task_id) WHERE archived_at IS NULL;
CREATE INDEX tasks_listed_status ON tasks (status, created_at, task_id) WHERE archived_at IS NULL;
CREATE INDEX tasks_listed_active ON tasks (active_at, task_id) WHERE archived_at IS NULL;
CREATE INDEX tasks_listed_duration ON tasks (duration, task_id) WHERE archived_at IS NULL AND duration IS NOT NULL;
CREATE INDEX tasks_archived ON tasks (created_at, task_id) WHERE archived_at IS NOT NULL;
CREATE INDEX tasks_stale ON tasks (created_at, task_id) WHERE stale;

CREATE TABLE task_phases (
  task_id     text COLLATE "C" NOT NULL,
  phase       text COLLATE "C" NOT NULL,
  first_seq   bigint NOT NULL,
  changed_seq bigint NOT NULL,
  state       text COLLATE "C" NOT NULL,
  PRIMARY KEY (task_id, phase)
);

CREATE TABLE task_spans (
  task_id        text COLLATE "C" NOT NULL,
  span_id        text COLLATE "C" NOT NULL,
  parent_span_id text COLLATE "C",
  started_seq    bigint NOT NULL,
  ended_seq      bigint,
  open           smallint NOT NULL,
  changed_seq    bigint NOT NULL,
  state          text COLLATE "C" NOT NULL,
  PRIMARY KEY (task_id, span_id)
);
CREATE INDEX task_spans_started ON task_spans (task_id, started_seq);
CREATE INDEX task_spans_ended ON task_spans (task_id, ended_seq) WHERE ended_seq IS NOT NULL;
CREATE INDEX task_spans_open ON task_spans (task_id, started_seq) WHERE open = 1;
CREATE INDEX task_spans_marks ON task_spans (task_id, started_seq) WHERE open = 0 AND ended_seq IS NULL;
CREATE INDEX task_spans_changed ON task_spans (task_id, changed_seq);
CREATE INDEX task_spans_parent ON task_spans (task_id, parent_span_id) WHERE parent_span_id IS NOT NULL;

-- Ids of checkpoints and requests can be too long for an index. These columns contain a shortened id then: see
-- `store/postgresql/texts.py`.
CREATE TABLE task_checkpoints (
  task_id       text COLLATE "C" NOT NULL,
  checkpoint_id text COLLATE "C" NOT NULL,
  seq           bigint NOT NULL,
  changed_seq   bigint NOT NULL,
  state         text COLLATE "C" NOT NULL,
  PRIMARY KEY (task_id, checkpoint_id)
);
CREATE INDEX task_checkpoints_seq ON task_checkpoints (task_id, seq);

CREATE TABLE task_permissions (
  task_id     text COLLATE "C" NOT NULL,
  request_id  text COLLATE "C" NOT NULL,
  seq         bigint NOT NULL,
  open        smallint NOT NULL,
  changed_seq bigint NOT NULL,
  state       text COLLATE "C" NOT NULL,
  expires_at  text COLLATE "C" GENERATED ALWAYS AS (json_text(state, 'expires_at')) STORED,
  PRIMARY KEY (task_id, request_id)
);
CREATE INDEX task_permissions_open ON task_permissions (seq) WHERE open = 1;
CREATE INDEX task_permissions_asked ON task_permissions (task_id, seq) WHERE open = 1;
CREATE INDEX task_permissions_expiry ON task_permissions (task_id, request_id) WHERE open = 1 AND expires_at IS NOT NULL;

-- Consecutive heartbeats are one row, and `before` is the number of the task's heartbeats before them.
CREATE TABLE task_heartbeats (
  task_id   text COLLATE "C" NOT NULL,
  first_seq bigint NOT NULL,
  last_seq  bigint NOT NULL,
  before    bigint NOT NULL,
  PRIMARY KEY (task_id, first_seq)
);

-- The lines that a run may still change, such as a progress bar. They are state of the task, not events.
CREATE TABLE task_unfinished (
  task_id    text COLLATE "C" PRIMARY KEY,
  lines      text COLLATE "C" NOT NULL,
  updated_at text COLLATE "C" NOT NULL
);

-- Audits of the actions of people. They are kept when their task is deleted: `project_id` and `identity` are those of the
-- task at that time. `account_id` and `token_id` are those of the actor, because names are not unique.
CREATE TABLE task_audits (
  audit_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at         text COLLATE "C" NOT NULL,
  actor      text COLLATE "C" NOT NULL CHECK (actor <> ''),
  account_id text COLLATE "C",
  token_id   text COLLATE "C",
  action     text COLLATE "C" NOT NULL CHECK (action <> ''),
  task_id    text COLLATE "C",
  project_id text COLLATE "C",
  identity   text COLLATE "C",
  seq        bigint,
  source     text COLLATE "C",
  detail     text COLLATE "C" NOT NULL
);
CREATE INDEX task_audits_task ON task_audits (task_id, audit_id);
CREATE INDEX task_audits_project ON task_audits (project_id, audit_id);

-- Accounts and their rights. Secrets are stored only as hashes: passwords as argon2id, tokens and sessions as SHA-256.
CREATE TABLE projects (
  project_id text COLLATE "C" PRIMARY KEY CHECK (project_id <> ''),
  name       text COLLATE "C" NOT NULL CHECK (name <> ''),
  created_at text COLLATE "C" NOT NULL,
  agent      text COLLATE "C"
);
INSERT INTO projects VALUES (
  'default', 'Default', to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), NULL
);

CREATE TABLE accounts (
  account_id    text COLLATE "C" PRIMARY KEY,
  email         text COLLATE "C" NOT NULL UNIQUE,
  password_hash text COLLATE "C" NOT NULL,
  admin         boolean NOT NULL DEFAULT false,
  created_at    text COLLATE "C" NOT NULL,
  disabled_at   text COLLATE "C"
);

CREATE TABLE project_members (
  project_id text COLLATE "C" NOT NULL REFERENCES projects ON DELETE CASCADE,
  account_id text COLLATE "C" NOT NULL REFERENCES accounts ON DELETE CASCADE,
  role       text COLLATE "C" NOT NULL CHECK (role IN ('viewer', 'operator', 'owner')),
  PRIMARY KEY (project_id, account_id)
);
CREATE INDEX project_members_account ON project_members (account_id);

CREATE TABLE access_tokens (
  token_id   text COLLATE "C" PRIMARY KEY,
  name       text COLLATE "C" NOT NULL CHECK (name <> ''),
  digest     text COLLATE "C" NOT NULL UNIQUE,
  account_id text COLLATE "C" REFERENCES accounts ON DELETE CASCADE,
  project_id text COLLATE "C" REFERENCES projects ON DELETE CASCADE,
  scopes     text COLLATE "C" NOT NULL,
  created_at text COLLATE "C" NOT NULL,
  expires_at text COLLATE "C",
  revoked_at text COLLATE "C"
);
CREATE INDEX access_tokens_account ON access_tokens (account_id);
CREATE INDEX access_tokens_project ON access_tokens (project_id);

CREATE TABLE login_sessions (
  digest     text COLLATE "C" PRIMARY KEY,
  account_id text COLLATE "C" NOT NULL REFERENCES accounts ON DELETE CASCADE,
  created_at text COLLATE "C" NOT NULL,
  expires_at text COLLATE "C" NOT NULL
);
CREATE INDEX login_sessions_account ON login_sessions (account_id);
CREATE INDEX login_sessions_expiry ON login_sessions (expires_at);

-- Named filters of the task list. A view belongs to a project, or to all projects (NULL). `lower` with the collation "C"
-- changes only the letters A to Z.
CREATE TABLE saved_views (
  view_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name       text COLLATE "C" NOT NULL CHECK (name <> ''),
  filters    text COLLATE "C" NOT NULL,
  created_at text COLLATE "C" NOT NULL,
  project_id text COLLATE "C" REFERENCES projects ON DELETE CASCADE
);
CREATE UNIQUE INDEX saved_views_name ON saved_views (lower(name), coalesce(project_id, ''));

-- Durable consumers: the position of each in the log, and the holder and expiry of its lease. `epoch` is the epoch of the
-- database when `position` was written. `renewals` grows with each claim and commit of the holder.
CREATE TABLE consumers (
  name       text COLLATE "C" PRIMARY KEY,
  epoch      text COLLATE "C" NOT NULL,
  position   bigint NOT NULL,
  holder     text COLLATE "C",
  expires_at text COLLATE "C" NOT NULL,
  renewals   bigint NOT NULL
);
