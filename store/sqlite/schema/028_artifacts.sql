-- compatible-from: 018_occurred_index

-- Files that runs keep in the store. Equal contents are stored once. `complete` is 1 once all pieces are stored.
CREATE TABLE artifact_contents (
  sha256   TEXT PRIMARY KEY,
  size     INTEGER NOT NULL,
  complete INTEGER NOT NULL,
  begun_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX artifact_contents_begun ON artifact_contents (begun_at) WHERE complete = 0;

CREATE TABLE artifact_pieces (
  sha256  TEXT NOT NULL,
  number  INTEGER NOT NULL,
  content BLOB NOT NULL,
  PRIMARY KEY (sha256, number)
);

-- The artifacts of tasks. `seq` is that of the event.
CREATE TABLE task_artifacts (
  task_id TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  seq     INTEGER NOT NULL,
  sha256  TEXT NOT NULL,
  state   TEXT NOT NULL,
  PRIMARY KEY (task_id, seq)
) WITHOUT ROWID;
CREATE INDEX task_artifacts_content ON task_artifacts (sha256);
