-- compatible-from: 001_initial

-- The conversation of tasks with model calls: an entry is one event, or (`pieces` 1) consecutive pieces of a streamed
-- answer of one span. Appends write to this table: see store/sql/conversation.py.
CREATE TABLE task_conversation (
  task_id   text COLLATE "C" NOT NULL,
  first_seq bigint NOT NULL,
  last_seq  bigint NOT NULL,
  span_id   text COLLATE "C" NOT NULL,
  pieces    smallint NOT NULL,
  PRIMARY KEY (task_id, first_seq)
);
CREATE INDEX task_conversation_span ON task_conversation (task_id, span_id, first_seq);
