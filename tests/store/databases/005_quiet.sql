-- A database that Signalbox made when 005_quiet was the newest migration.
BEGIN TRANSACTION;
CREATE TABLE access_tokens (
  token_id     TEXT PRIMARY KEY,
  name         TEXT NOT NULL CHECK (name <> ''),
  digest       TEXT NOT NULL UNIQUE,
  account_id   TEXT REFERENCES accounts (account_id) ON DELETE CASCADE,
  project_id   TEXT REFERENCES projects (project_id) ON DELETE CASCADE,
  scopes       TEXT NOT NULL,
  created_at   TEXT NOT NULL,
  expires_at   TEXT,
  revoked_at   TEXT
);
CREATE TABLE accounts (
  account_id    TEXT PRIMARY KEY,
  email         TEXT NOT NULL UNIQUE,
  password_hash TEXT NOT NULL,
  admin         INTEGER NOT NULL DEFAULT 0,
  created_at    TEXT NOT NULL,
  disabled_at   TEXT
);
INSERT INTO "accounts" VALUES('01M8CRV6DZ01Q0PT52K1NAFGZS','ann@example.org','hash',0,'2026-11-26T20:30:40.063571Z',NULL);
CREATE TABLE login_sessions (
  digest     TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
);
CREATE TABLE migrations (name TEXT PRIMARY KEY, applied_at TEXT NOT NULL);
INSERT INTO "migrations" VALUES('001_initial','2026-11-26T20:30:39.992211Z');
INSERT INTO "migrations" VALUES('002_failures','2026-11-26T20:30:39.997269Z');
INSERT INTO "migrations" VALUES('003_people','2026-11-26T20:30:39.998649Z');
INSERT INTO "migrations" VALUES('004_list','2026-11-26T20:30:40.005082Z');
INSERT INTO "migrations" VALUES('005_quiet','2026-11-26T20:30:40.005852Z');
CREATE TABLE project_members (
  project_id TEXT NOT NULL REFERENCES projects (project_id) ON DELETE CASCADE,
  account_id TEXT NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
  role       TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'owner')),
  PRIMARY KEY (project_id, account_id)
) WITHOUT ROWID;
INSERT INTO "project_members" VALUES('website','01M8CRV6DZ01Q0PT52K1NAFGZS','owner');
CREATE TABLE projects (
  project_id TEXT PRIMARY KEY CHECK (project_id <> ''),
  name       TEXT NOT NULL CHECK (name <> ''),
  created_at TEXT NOT NULL,
  agent      TEXT
);
INSERT INTO "projects" VALUES('default','Default','2026-11-26T20:30:39.997000Z',NULL);
INSERT INTO "projects" VALUES('website','Website','2026-11-26T20:30:40.063759Z',NULL);
CREATE TABLE saved_views (
  view_id    INTEGER PRIMARY KEY AUTOINCREMENT,
  name       TEXT NOT NULL UNIQUE COLLATE NOCASE CHECK (name <> ''),
  filters    TEXT NOT NULL,
  created_at TEXT NOT NULL
);
CREATE TABLE store_facts (
  name  TEXT PRIMARY KEY,
  value TEXT NOT NULL
) WITHOUT ROWID;
INSERT INTO "store_facts" VALUES('epoch','01M8CRV6C6Y3CBA140JJ57XPX8');
INSERT INTO "store_facts" VALUES('key','6e669b7f478ecf2b97e09445a52ebc9b97f91fab8a64d8260b9f2797e9a0003d');
INSERT INTO "store_facts" VALUES('people_version','3');
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
INSERT INTO "task_audits" VALUES(1,'2026-11-26T20:30:40.062597Z','ann','permission_response','asking',3,'127.0.0.1','{"request_id":"r1","approved":true,"by":"ann"}');
CREATE TABLE task_checkpoints (
  task_id       TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  checkpoint_id TEXT NOT NULL,
  seq           INTEGER NOT NULL,
  changed_seq   INTEGER NOT NULL,
  state         TEXT NOT NULL,
  PRIMARY KEY (task_id, checkpoint_id)
) WITHOUT ROWID;
INSERT INTO "task_checkpoints" VALUES('nightly','checkpoint-1',10,11,'{"checkpoint_id":"checkpoint-1","checkpoint_type":"state","phase":"executing","span_id":"01M8CRV6CRHPR8DZA9NH4EFH00","state":"committed","evidence_refs":{"checkpoint_id":"checkpoint-1","artifacts":["a.txt"]},"evidence_total":1,"message":null,"seq":10,"created_at":"2026-11-26T20:30:40.024749Z","changed_seq":11}');
CREATE TABLE task_event_seq_counters (
  task_id  TEXT PRIMARY KEY REFERENCES tasks (task_id) ON DELETE CASCADE,
  last_seq INTEGER NOT NULL CHECK (last_seq >= 0)
) WITHOUT ROWID;
INSERT INTO "task_event_seq_counters" VALUES('asking',3);
INSERT INTO "task_event_seq_counters" VALUES('beats',6);
INSERT INTO "task_event_seq_counters" VALUES('empty',0);
INSERT INTO "task_event_seq_counters" VALUES('nightly',17);
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
, failure INTEGER GENERATED ALWAYS AS (
  CASE
    WHEN event_type LIKE '%\_failed' ESCAPE '\' OR event_type = 'checkpoint_invalid' THEN 1
    WHEN event_type NOT IN ('runner_exit', 'status')
      AND payload NOT LIKE '%"level":"error"%'
      AND payload NOT LIKE '%"level":"critical"%'
      AND payload NOT LIKE '%"level":"fatal"%'
      AND payload NOT LIKE '%"error_code":%' THEN 0
    WHEN NOT json_valid(payload) THEN 0
    WHEN lower(json_extract(payload, '$.level')) IN ('error', 'critical', 'fatal') THEN 1
    WHEN coalesce(json_extract(payload, '$.error_code'), 0) NOT IN ('', 0) THEN 1
    WHEN event_type NOT IN ('runner_exit', 'status') THEN 0
    WHEN lower(json_extract(payload, '$.status')) IN ('failed', 'failure', 'error') THEN 1
    ELSE event_type = 'runner_exit' AND coalesce(json_extract(payload, '$.exit_code'), 0) <> 0
  END
) VIRTUAL, quiet INTEGER);
INSERT INTO "task_events" VALUES(2,'nightly',1,'runner_spawn',NULL,'runner','01M8CRV6C7SQ6BYKDC5P6AHC98',NULL,'{"runner_pid":16905,"runner_version":"signalbox","host":"vm","python":"3.11.7","heartbeat_interval":1000}','2026-11-26T20:30:40.008669Z',NULL,NULL);
INSERT INTO "task_events" VALUES(3,'nightly',2,'phase_enter','planning','runner','01M8CRV6CMGY5Q638TRNX7KYCC','01M8CRV6C7SQ6BYKDC5P6AHC98','{}','2026-11-26T20:30:40.021131Z',NULL,NULL);
INSERT INTO "task_events" VALUES(4,'nightly',3,'work_item_start','planning','worker','01M8CRV6CP5DK9WZKK5F8K5N7X','01M8CRV6CMGY5Q638TRNX7KYCC','{"work_item_id":"json","work_type":"package"}','2026-11-26T20:30:40.022272Z',NULL,NULL);
INSERT INTO "task_events" VALUES(5,'nightly',4,'log','planning','worker','01M8CRV6CP5DK9WZKK5F8K5N7X',NULL,'{"message":"plain line","stream":"stdout"}','2026-11-26T20:30:40.022970Z',NULL,1);
INSERT INTO "task_events" VALUES(6,'nightly',5,'log','planning','worker','01M8CRV6CP5DK9WZKK5F8K5N7X',NULL,'{"message":"\u001b[31mred line\u001b[0m","stream":"stdout"}','2026-11-26T20:30:40.023196Z',NULL,1);
INSERT INTO "task_events" VALUES(7,'nightly',6,'work_item_progress','planning','worker','01M8CRV6CP5DK9WZKK5F8K5N7X',NULL,'{"work_item_id":"json","progress":{"current":1,"total":2,"percentage":50.0}}','2026-11-26T20:30:40.023403Z',NULL,NULL);
INSERT INTO "task_events" VALUES(8,'nightly',7,'work_item_complete','planning','worker','01M8CRV6CP5DK9WZKK5F8K5N7X','01M8CRV6CMGY5Q638TRNX7KYCC','{"work_item_id":"json","work_type":"package"}','2026-11-26T20:30:40.023795Z',NULL,NULL);
INSERT INTO "task_events" VALUES(9,'nightly',8,'phase_exit','planning','runner','01M8CRV6CMGY5Q638TRNX7KYCC',NULL,'{}','2026-11-26T20:30:40.024120Z',NULL,NULL);
INSERT INTO "task_events" VALUES(10,'nightly',9,'phase_enter','executing','runner','01M8CRV6CRHPR8DZA9NH4EFH00','01M8CRV6C7SQ6BYKDC5P6AHC98','{}','2026-11-26T20:30:40.024438Z',NULL,NULL);
INSERT INTO "task_events" VALUES(11,'nightly',10,'checkpoint_commit','executing','supervisor','01M8CRV6CRHPR8DZA9NH4EFH00',NULL,'{"checkpoint_id":"checkpoint-1","checkpoint_type":"state","evidence_refs":{"checkpoint_id":"checkpoint-1","artifacts":["a.txt"]}}','2026-11-26T20:30:40.024749Z',NULL,NULL);
INSERT INTO "task_events" VALUES(12,'nightly',11,'evidence_collected','executing','supervisor','01M8CRV6CRHPR8DZA9NH4EFH00',NULL,'{"evidence_type":"file","evidence_id":"a.txt","checkpoint_id":"checkpoint-1"}','2026-11-26T20:30:40.037352Z',NULL,NULL);
INSERT INTO "task_events" VALUES(13,'nightly',12,'tool_status','executing','runner','01M8CRV6D6460PY76C287YWSYC','01M8CRV6CRHPR8DZA9NH4EFH00','{"tool_name":"search","status":"running","arguments":{"query":"x"}}','2026-11-26T20:30:40.038169Z',NULL,NULL);
INSERT INTO "task_events" VALUES(14,'nightly',13,'tool_result','executing','runner','01M8CRV6D6460PY76C287YWSYC','01M8CRV6CRHPR8DZA9NH4EFH00','{"tool_name":"search","status":"done","hits":3}','2026-11-26T20:30:40.038509Z',NULL,NULL);
INSERT INTO "task_events" VALUES(15,'nightly',14,'work_item_start','executing','worker','01M8CRV6D6460PY76C287YWSYD','01M8CRV6CRHPR8DZA9NH4EFH00','{"work_item_id":"xml","work_type":"package"}','2026-11-26T20:30:40.038851Z',NULL,NULL);
INSERT INTO "task_events" VALUES(16,'nightly',15,'work_item_failed','executing','worker','01M8CRV6D6460PY76C287YWSYD','01M8CRV6CRHPR8DZA9NH4EFH00','{"work_item_id":"xml","work_type":"package","error_code":"ValueError","message":"broken"}','2026-11-26T20:30:40.039162Z',NULL,NULL);
INSERT INTO "task_events" VALUES(17,'nightly',16,'phase_exit','executing','runner','01M8CRV6CRHPR8DZA9NH4EFH00',NULL,'{}','2026-11-26T20:30:40.039485Z',NULL,NULL);
INSERT INTO "task_events" VALUES(18,'nightly',17,'runner_exit',NULL,'runner','01M8CRV6C7SQ6BYKDC5P6AHC98',NULL,'{"exit_code":0}','2026-11-26T20:30:40.044973Z',NULL,NULL);
INSERT INTO "task_events" VALUES(20,'beats',1,'runner_heartbeat',NULL,'runner','01M8CRV6DD1JYAK56EMEB1A57T',NULL,'{}','2026-11-26T20:30:40.045658Z',NULL,NULL);
INSERT INTO "task_events" VALUES(21,'beats',2,'runner_heartbeat',NULL,'runner','01M8CRV6DD1JYAK56EMEB1A57T',NULL,'{}','2026-11-26T20:30:40.045974Z',NULL,NULL);
INSERT INTO "task_events" VALUES(22,'beats',3,'runner_heartbeat',NULL,'runner','01M8CRV6DD1JYAK56EMEB1A57T',NULL,'{}','2026-11-26T20:30:40.046141Z',NULL,NULL);
INSERT INTO "task_events" VALUES(23,'beats',4,'log',NULL,'runner','01M8CRV6DD1JYAK56EMEB1A57T',NULL,'{"message":"between","level":"error"}','2026-11-26T20:30:40.046303Z',NULL,1);
INSERT INTO "task_events" VALUES(24,'beats',5,'runner_heartbeat',NULL,'runner','01M8CRV6DD1JYAK56EMEB1A57T',NULL,'{"heartbeat_interval":10}','2026-11-26T20:30:40.046538Z',NULL,NULL);
INSERT INTO "task_events" VALUES(25,'beats',6,'runner_heartbeat',NULL,'runner','01M8CRV6DD1JYAK56EMEB1A57T',NULL,'{"heartbeat_interval":10}','2026-11-26T20:30:40.046708Z',NULL,NULL);
INSERT INTO "task_events" VALUES(27,'asking',1,'permission_request',NULL,'runner','01M8CRV6DE8P6E7SM57DZF9EPQ',NULL,'{"request_id":"r1","tool_name":"rm","arguments":{"path":"/"}}','2026-11-26T20:30:40.046936Z','k1',NULL);
INSERT INTO "task_events" VALUES(28,'asking',2,'permission_request',NULL,'runner','01M8CRV6DE8P6E7SM57DZF9EPQ',NULL,'{"request_id":"r2","tool_name":"mv"}','2026-11-26T20:30:40.047405Z',NULL,NULL);
INSERT INTO "task_events" VALUES(29,'asking',3,'permission_response',NULL,'user','01M8CRV6DE8P6E7SM57DZF9EPQ',NULL,'{"request_id":"r1","approved":true,"by":"ann"}','2026-11-26T20:30:40.062330Z',NULL,NULL);
CREATE TABLE task_permissions (
  task_id     TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  request_id  TEXT NOT NULL,
  seq         INTEGER NOT NULL,
  open        INTEGER NOT NULL,
  changed_seq INTEGER NOT NULL,
  state       TEXT NOT NULL,
  PRIMARY KEY (task_id, request_id)
) WITHOUT ROWID;
INSERT INTO "task_permissions" VALUES('asking','r1',1,0,3,'{"request_id":"r1","tool_name":"rm","arguments":{"path":"/"},"reason":null,"expires_at":null,"phase":null,"span_id":"01M8CRV6DE8P6E7SM57DZF9EPQ","evidence_refs":{},"state":"approved","by":"ann","answer_reason":null,"seq":1,"created_at":"2026-11-26T20:30:40.046936Z","closed_seq":3,"closed_at":"2026-11-26T20:30:40.062330Z","changed_seq":3}');
INSERT INTO "task_permissions" VALUES('asking','r2',2,1,2,'{"request_id":"r2","tool_name":"mv","arguments":null,"reason":null,"expires_at":null,"phase":null,"span_id":"01M8CRV6DE8P6E7SM57DZF9EPQ","evidence_refs":{},"state":"open","by":null,"answer_reason":null,"seq":2,"created_at":"2026-11-26T20:30:40.047405Z","closed_seq":null,"closed_at":null,"changed_seq":2}');
CREATE TABLE task_phases (
  task_id     TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  phase       TEXT NOT NULL,
  first_seq   INTEGER NOT NULL,
  changed_seq INTEGER NOT NULL,
  state       TEXT NOT NULL,
  PRIMARY KEY (task_id, phase)
) WITHOUT ROWID;
INSERT INTO "task_phases" VALUES('nightly','executing',9,16,'{"phase":"executing","first_seq":9,"state":"done","declared":true,"entered_at":"2026-11-26T20:30:40.024438Z","exited_at":"2026-11-26T20:30:40.039485Z","items_total":1,"items_done":0,"items_failed":1,"changed_seq":16}');
INSERT INTO "task_phases" VALUES('nightly','planning',2,8,'{"phase":"planning","first_seq":2,"state":"done","declared":true,"entered_at":"2026-11-26T20:30:40.021131Z","exited_at":"2026-11-26T20:30:40.024120Z","items_total":1,"items_done":1,"items_failed":0,"changed_seq":8}');
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
INSERT INTO "task_spans" VALUES('asking','01M8CRV6DE8P6E7SM57DZF9EPQ',NULL,1,NULL,1,1,'{"span_id":"01M8CRV6DE8P6E7SM57DZF9EPQ","parent_span_id":null,"kind":"run","name":"run","phase":null,"state":"open","started_seq":1,"started_at":"2026-11-26T20:30:40.046936Z","changed_seq":1}');
INSERT INTO "task_spans" VALUES('beats','01M8CRV6DD1JYAK56EMEB1A57T',NULL,1,NULL,1,1,'{"span_id":"01M8CRV6DD1JYAK56EMEB1A57T","parent_span_id":null,"kind":"run","name":"run","phase":null,"state":"open","started_seq":1,"started_at":"2026-11-26T20:30:40.045658Z","changed_seq":1}');
INSERT INTO "task_spans" VALUES('nightly','01M8CRV6C7SQ6BYKDC5P6AHC98',NULL,1,17,0,17,'{"span_id":"01M8CRV6C7SQ6BYKDC5P6AHC98","parent_span_id":null,"kind":"run","name":"run","phase":null,"state":"done","started_seq":1,"started_at":"2026-11-26T20:30:40.008669Z","ended_seq":17,"ended_at":"2026-11-26T20:30:40.044973Z","changed_seq":17}');
INSERT INTO "task_spans" VALUES('nightly','01M8CRV6CMGY5Q638TRNX7KYCC','01M8CRV6C7SQ6BYKDC5P6AHC98',2,8,0,8,'{"span_id":"01M8CRV6CMGY5Q638TRNX7KYCC","parent_span_id":"01M8CRV6C7SQ6BYKDC5P6AHC98","kind":"phase","name":"planning","phase":"planning","state":"done","started_seq":2,"started_at":"2026-11-26T20:30:40.021131Z","ended_seq":8,"ended_at":"2026-11-26T20:30:40.024120Z","changed_seq":8}');
INSERT INTO "task_spans" VALUES('nightly','01M8CRV6CP5DK9WZKK5F8K5N7X','01M8CRV6CMGY5Q638TRNX7KYCC',3,7,0,7,'{"span_id":"01M8CRV6CP5DK9WZKK5F8K5N7X","parent_span_id":"01M8CRV6CMGY5Q638TRNX7KYCC","kind":"work_item","name":"json","phase":"planning","state":"done","progress":{"percentage":50.0,"current":1.0,"total":2.0},"work_item_id":"json","work_type":"package","started_seq":3,"started_at":"2026-11-26T20:30:40.022272Z","ended_seq":7,"ended_at":"2026-11-26T20:30:40.023795Z","changed_seq":7}');
INSERT INTO "task_spans" VALUES('nightly','01M8CRV6CRHPR8DZA9NH4EFH00','01M8CRV6C7SQ6BYKDC5P6AHC98',9,16,0,16,'{"span_id":"01M8CRV6CRHPR8DZA9NH4EFH00","parent_span_id":"01M8CRV6C7SQ6BYKDC5P6AHC98","kind":"phase","name":"executing","phase":"executing","state":"done","started_seq":9,"started_at":"2026-11-26T20:30:40.024438Z","ended_seq":16,"ended_at":"2026-11-26T20:30:40.039485Z","changed_seq":16}');
INSERT INTO "task_spans" VALUES('nightly','01M8CRV6D6460PY76C287YWSYC','01M8CRV6CRHPR8DZA9NH4EFH00',12,13,0,13,'{"span_id":"01M8CRV6D6460PY76C287YWSYC","parent_span_id":"01M8CRV6CRHPR8DZA9NH4EFH00","kind":"tool","name":"search","phase":"executing","state":"done","started_seq":12,"started_at":"2026-11-26T20:30:40.038169Z","ended_seq":13,"ended_at":"2026-11-26T20:30:40.038509Z","changed_seq":13}');
INSERT INTO "task_spans" VALUES('nightly','01M8CRV6D6460PY76C287YWSYD','01M8CRV6CRHPR8DZA9NH4EFH00',14,15,0,15,'{"span_id":"01M8CRV6D6460PY76C287YWSYD","parent_span_id":"01M8CRV6CRHPR8DZA9NH4EFH00","kind":"work_item","name":"xml","phase":"executing","state":"failed","error":"broken","work_item_id":"xml","work_type":"package","started_seq":14,"started_at":"2026-11-26T20:30:40.038851Z","ended_seq":15,"ended_at":"2026-11-26T20:30:40.039162Z","changed_seq":15}');
CREATE TABLE tasks (
  task_id    TEXT PRIMARY KEY,
  created_at TEXT NOT NULL,
  status     TEXT NOT NULL,
  title      TEXT,
  kind       TEXT,
  updated_at TEXT NOT NULL,
  state      TEXT NOT NULL
, project_id TEXT NOT NULL DEFAULT 'default', archived_at TEXT, stale INTEGER NOT NULL DEFAULT 0, active_at TEXT NOT NULL DEFAULT '', duration REAL);
INSERT INTO "tasks" VALUES('nightly','2026-11-26T20:30:40.006903Z','done','Nightly build','build','2026-11-26T20:30:40.044973Z','{"task_id":"nightly","title":"Nightly build","kind":"build","metadata":{"branch":"main"},"created_at":"2026-11-26T20:30:40.006903Z","main_span_id":"01M8CRV6C7SQ6BYKDC5P6AHC98","main_span_used":true,"main_span_seq":1,"status":"done","progress":{"percentage":50.0,"current":1.0,"total":2.0},"exit_code":0,"started_at":"2026-11-26T20:30:40.008669Z","ended_at":"2026-11-26T20:30:40.044973Z","updated_at":"2026-11-26T20:30:40.044973Z","heartbeat_interval":1000.0,"runner_pid":16905,"runner_version":"signalbox","activity":{"since":"2026-11-26T20:30:40.008669Z","width":1.0,"counts":[17],"until":"2026-11-26T20:30:41.008669Z"},"latest_seq":17,"spans_total":6,"items_total":2,"items_done":1,"items_failed":1,"phases_total":2,"checkpoints_total":1,"spawn_seq":1,"header_seq":17,"phases_seq":16,"spans_seq":17,"checkpoints_seq":11}','default',NULL,0,'2026-11-26T20:30:40',0.036304);
INSERT INTO "tasks" VALUES('beats','2026-11-26T20:30:40.045568Z','running',NULL,NULL,'2026-11-26T20:30:40.046708Z','{"task_id":"beats","created_at":"2026-11-26T20:30:40.045568Z","main_span_id":"01M8CRV6DD1JYAK56EMEB1A57T","main_span_used":true,"status":"running","started_at":"2026-11-26T20:30:40.045658Z","updated_at":"2026-11-26T20:30:40.046708Z","heartbeat_interval":10,"activity":{"since":"2026-11-26T20:30:40.045658Z","width":1.0,"counts":[6],"until":"2026-11-26T20:30:41.045658Z"},"latest_seq":6,"spans_total":1,"spans_open":1,"header_seq":1,"spans_seq":1}','default',NULL,0,'2026-11-26T20:30:40',NULL);
INSERT INTO "tasks" VALUES('asking','2026-11-26T20:30:40.046868Z','waiting',NULL,NULL,'2026-11-26T20:30:40.062330Z','{"task_id":"asking","created_at":"2026-11-26T20:30:40.046868Z","main_span_id":"01M8CRV6DE8P6E7SM57DZF9EPQ","main_span_used":true,"status":"waiting","started_at":"2026-11-26T20:30:40.046936Z","updated_at":"2026-11-26T20:30:40.062330Z","activity":{"since":"2026-11-26T20:30:40.046936Z","width":1.0,"counts":[3],"until":"2026-11-26T20:30:41.046936Z"},"latest_seq":3,"spans_total":1,"spans_open":1,"permissions_open":1,"header_seq":1,"spans_seq":1,"permissions_seq":3}','default',NULL,0,'2026-11-26T20:30:40',NULL);
INSERT INTO "tasks" VALUES('empty','2026-11-26T20:30:40.063350Z','queued','Empty',NULL,'2026-11-26T20:30:40.063350Z','{"task_id":"empty","title":"Empty","created_at":"2026-11-26T20:30:40.063350Z","main_span_id":"01M8CRV6DZ01Q0PT52K1NAFGZR","updated_at":"2026-11-26T20:30:40.063350Z"}','default',NULL,0,'2026-11-26T20:30:40',NULL);
CREATE UNIQUE INDEX task_events_seq ON task_events (task_id, seq);
CREATE INDEX task_events_created ON task_events (task_id, created_at);
CREATE INDEX task_events_parent ON task_events (task_id, parent_span_id) WHERE parent_span_id IS NOT NULL;
CREATE INDEX task_events_phase ON task_events (task_id, phase, seq) WHERE phase IS NOT NULL;
CREATE UNIQUE INDEX task_events_key ON task_events (task_id, key) WHERE key IS NOT NULL;
CREATE INDEX tasks_created ON tasks (created_at, task_id);
CREATE INDEX tasks_status ON tasks (status, created_at, task_id);
CREATE INDEX task_spans_started ON task_spans (task_id, started_seq);
CREATE INDEX task_spans_ended ON task_spans (task_id, ended_seq) WHERE ended_seq IS NOT NULL;
CREATE INDEX task_spans_open ON task_spans (task_id, started_seq) WHERE open = 1;
CREATE INDEX task_spans_marks ON task_spans (task_id, started_seq) WHERE open = 0 AND ended_seq IS NULL;
CREATE INDEX task_spans_changed ON task_spans (task_id, changed_seq);
CREATE INDEX task_spans_parent ON task_spans (task_id, parent_span_id) WHERE parent_span_id IS NOT NULL;
CREATE INDEX task_checkpoints_seq ON task_checkpoints (task_id, seq);
CREATE INDEX task_permissions_open ON task_permissions (seq) WHERE open = 1;
CREATE INDEX task_audits_task ON task_audits (task_id, audit_id);
CREATE INDEX task_events_failure ON task_events (task_id, seq) WHERE failure;
CREATE INDEX project_members_account ON project_members (account_id);
CREATE INDEX login_sessions_account ON login_sessions (account_id);
CREATE INDEX tasks_project ON tasks (project_id, created_at, task_id);
CREATE INDEX tasks_listed ON tasks (created_at, task_id) WHERE archived_at IS NULL;
CREATE INDEX tasks_listed_status ON tasks (status, created_at, task_id) WHERE archived_at IS NULL;
CREATE INDEX tasks_listed_active ON tasks (active_at, task_id) WHERE archived_at IS NULL;
CREATE INDEX tasks_listed_duration ON tasks (duration, task_id) WHERE archived_at IS NULL AND duration IS NOT NULL;
CREATE INDEX tasks_archived ON tasks (created_at, task_id) WHERE archived_at IS NOT NULL;
CREATE INDEX tasks_stale ON tasks (created_at, task_id) WHERE stale;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('task_events',30);
INSERT INTO "sqlite_sequence" VALUES('task_audits',1);
COMMIT;
