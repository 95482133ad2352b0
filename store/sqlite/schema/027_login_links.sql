-- compatible-from: 018_occurred_index

-- One-time links with which a person sets a password: an invitation, or a reset. The digest is that of the secret part.
CREATE TABLE login_links (
  digest     TEXT PRIMARY KEY,
  account_id TEXT NOT NULL REFERENCES accounts (account_id) ON DELETE CASCADE,
  purpose    TEXT NOT NULL CHECK (purpose IN ('invitation', 'reset')),
  created_at TEXT NOT NULL,
  expires_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX login_links_account ON login_links (account_id);

-- The filters of the audit log.
CREATE INDEX task_audits_actor ON task_audits (actor, audit_id);
CREATE INDEX task_audits_action ON task_audits (action, audit_id);
CREATE INDEX task_audits_at ON task_audits (at, audit_id);
