-- compatible-from: 001_initial

-- Files that runs keep in the store. Equal contents are stored once. `complete` is 1 once all pieces are stored.
CREATE TABLE artifact_contents (
  sha256   text COLLATE "C" PRIMARY KEY,
  size     bigint NOT NULL,
  complete smallint NOT NULL,
  begun_at text COLLATE "C" NOT NULL
);
CREATE INDEX artifact_contents_begun ON artifact_contents (begun_at) WHERE complete = 0;

-- The contents are mostly compressed already, so PostgreSQL does not try it again.
CREATE TABLE artifact_pieces (
  sha256  text COLLATE "C" NOT NULL,
  number  bigint NOT NULL,
  content bytea NOT NULL,
  PRIMARY KEY (sha256, number)
);

ALTER TABLE artifact_pieces ALTER COLUMN content SET STORAGE EXTERNAL;

-- The artifacts of tasks. `seq` is that of the event.
CREATE TABLE task_artifacts (
  task_id text COLLATE "C" NOT NULL,
  seq     bigint NOT NULL,
  sha256  text COLLATE "C" NOT NULL,
  state   text COLLATE "C" NOT NULL,
  PRIMARY KEY (task_id, seq)
);
CREATE INDEX task_artifacts_content ON task_artifacts (sha256);

-- A server of the version before does not delete the artifacts of a task that it deletes: see 006_tags.
CREATE FUNCTION delete_artifacts_of_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM task_artifacts
    WHERE task_id = OLD.task_id AND NOT EXISTS (SELECT 1 FROM tasks WHERE task_id = OLD.task_id);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER tasks_artifacts AFTER DELETE ON tasks DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION delete_artifacts_of_task();
