-- compatible-from: 018_occurred_index

-- Of a run that failed or was interrupted: the fingerprint of its error, and the seqs of the lines of its output that say
-- why it failed, as a JSON list (store/diagnosis). The fingerprint is NULL for other runs, and for a run that ended before
-- this version until the server has computed it.
ALTER TABLE tasks ADD COLUMN fingerprint TEXT;
ALTER TABLE tasks ADD COLUMN failure_lines TEXT;
CREATE INDEX tasks_fingerprint ON tasks (fingerprint, project_id, created_at, task_id) WHERE fingerprint IS NOT NULL;
CREATE INDEX tasks_undiagnosed ON tasks (created_at, task_id)
  WHERE fingerprint IS NULL AND status IN ('failed', 'interrupted');
-- For the last successful run of a kind.
CREATE INDEX tasks_of_kind ON tasks (kind, status, created_at, task_id) WHERE kind IS NOT NULL;
