-- Accounts and their rights. Secrets are stored only as hashes: passwords as argon2id, tokens and sessions as SHA-256.
CREATE TABLE projects (
  project_id TEXT PRIMARY KEY CHECK (project_id <> ''),
  name       TEXT NOT NULL CHECK (name <> ''),
  created_at TEXT NOT NULL,
  agent      TEXT
);
INSERT INTO projects VALUES ('default', 'Default', strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'), NULL);

CREATE TABLE accounts (
  account_id    TEXT PRIMARY KEY,
  email         TEXT NOT NULL UNIQUE,
  password_hash TEXT NOT NULL,
  admin         INTEGER NOT NULL DEFAULT 0,
  created_at    TEXT NOT NULL,
  disabled_at   TEXT
);

CREATE TABLE project_members (
  project_id TEXT NOT NULL REFERENCES projects (project_id) ON DELETE CASCADE,
  account_id TEXT NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
  role       TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'owner')),
  PRIMARY KEY (project_id, account_id)
) WITHOUT ROWID;
CREATE INDEX project_members_account ON project_members (account_id);

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

CREATE TABLE login_sessions (
  digest     TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
);
CREATE INDEX login_sessions_account ON login_sessions (account_id);

-- The number of changes to these tables. Processes that cache rights check it first.
INSERT INTO store_facts VALUES ('people_version', '0');

ALTER TABLE tasks ADD COLUMN project_id TEXT NOT NULL DEFAULT 'default';
CREATE INDEX tasks_project ON tasks (project_id, created_at, task_id);
