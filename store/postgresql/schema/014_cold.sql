-- compatible-from: 001_initial

-- Tasks in cold storage, and tasks on their way there or back. `stage` says where the log of the task is:
--   packing    in the database; the file is being written
--   clearing   in the file; the rows in the database are being removed
--   cold       in the file
--   restoring  in the file; its rows are being written to the database
-- `place` is the directory or the bucket of the file. `last_line` is the last line of output, which the list of tasks
-- shows. `holder` works on the task until `held_until`. Until `packing` has ended, the columns that describe the file are
-- NULL.
CREATE TABLE cold_tasks (
  task_id        text COLLATE "C" PRIMARY KEY,
  identity       text COLLATE "C" NOT NULL,
  stage          text COLLATE "C" NOT NULL CHECK (stage IN ('packing', 'clearing', 'cold', 'restoring')),
  place          text COLLATE "C" NOT NULL,
  name           text COLLATE "C" NOT NULL,
  bytes          bigint,
  sha256         text COLLATE "C",
  events         bigint,
  first_event_id bigint,
  last_event_id  bigint,
  moved_at       text COLLATE "C",
  last_line      text COLLATE "C",
  holder         text COLLATE "C",
  held_until     text COLLATE "C"
);
CREATE INDEX cold_tasks_events ON cold_tasks (last_event_id, first_event_id) WHERE stage <> 'packing';
CREATE INDEX cold_tasks_unfinished ON cold_tasks (task_id) WHERE stage <> 'cold';

-- 1 if the log of the task is in the file: in each stage but `packing`. An append reads it with the state of the task.
ALTER TABLE tasks ADD COLUMN cold smallint;
CREATE INDEX tasks_to_move ON tasks (active_at, task_id)
  WHERE cold IS NULL AND status IN ('done', 'failed', 'cancelled', 'interrupted');

-- A server of the version before does not delete the row of a task that it deletes: see 006_tags.
CREATE FUNCTION delete_cold_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM cold_tasks
    WHERE task_id = OLD.task_id AND NOT EXISTS (SELECT 1 FROM tasks WHERE task_id = OLD.task_id);
  RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER tasks_cold AFTER DELETE ON tasks DEFERRABLE INITIALLY DEFERRED
  FOR EACH ROW EXECUTE FUNCTION delete_cold_task();
