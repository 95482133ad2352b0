-- compatible-from: 001_initial

-- Deleted tasks of which rows are still to be removed, in small steps: see store/sql/removal.py. The task itself is gone.
CREATE TABLE task_removals (
  task_id  text COLLATE "C" PRIMARY KEY,
  identity text COLLATE "C" NOT NULL,
  last_seq bigint NOT NULL,
  at       text COLLATE "C" NOT NULL
);

-- The hold of a task, as JSON: while it has one, the task is neither deleted nor moved.
ALTER TABLE tasks ADD COLUMN hold text COLLATE "C";
CREATE INDEX tasks_held ON tasks (created_at, task_id) WHERE hold IS NOT NULL;

-- About how many bytes the log of a task takes up to `seq`. `ended_at` is the time from which its age counts, or NULL as
-- long as it has not ended. The server measures tasks some time after they change: see store/sql/sizes.py.
CREATE TABLE task_sizes (
  task_id   text COLLATE "C" PRIMARY KEY,
  identity  text COLLATE "C" NOT NULL,
  seq       bigint NOT NULL,
  bytes     bigint NOT NULL,
  artifacts bigint NOT NULL,
  ended_at  text COLLATE "C"
);
CREATE INDEX task_sizes_ended ON task_sizes (ended_at, task_id) WHERE ended_at IS NOT NULL;

-- The space that the store took at the last measurement of each day, in bytes, as JSON.
CREATE TABLE space_samples (
  day   text COLLATE "C" PRIMARY KEY,
  space text COLLATE "C" NOT NULL
);

-- A deleted task's artifacts may still be needed to remove their contents step by step: see 011_artifacts.
CREATE OR REPLACE FUNCTION delete_artifacts_of_task() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM task_artifacts
    WHERE task_id = OLD.task_id AND NOT EXISTS (SELECT 1 FROM tasks WHERE task_id = OLD.task_id)
    AND NOT EXISTS (SELECT 1 FROM task_removals WHERE task_id = OLD.task_id);
  RETURN NULL;
END $$;
