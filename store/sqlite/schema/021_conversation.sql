-- compatible-from: 018_occurred_index

-- The conversation of tasks with model calls: an entry is one event, or (`pieces` 1) consecutive pieces of a streamed
-- answer of one span. Appends write to this table: see store/sql/conversation.py.
CREATE TABLE task_conversation (
  task_id   TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  first_seq INTEGER NOT NULL,
  last_seq  INTEGER NOT NULL,
  span_id   TEXT NOT NULL,
  pieces    INTEGER NOT NULL,
  PRIMARY KEY (task_id, first_seq)
) WITHOUT ROWID;
CREATE INDEX task_conversation_span ON task_conversation (task_id, span_id, first_seq);

-- The newest tasks are folded again when the database is opened, unless they are long: older versions did not project
-- tokens, cost and conversations.
INSERT OR IGNORE INTO tasks_to_fold
SELECT task_id FROM (SELECT task_id FROM tasks ORDER BY created_at DESC LIMIT 200)
JOIN task_event_seq_counters USING (task_id) WHERE last_seq BETWEEN 1 AND 5000;
