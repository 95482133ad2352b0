-- Heartbeats are no rows of the log that people read. A run of heartbeats without anything between them is one row here,
-- and `before` counts the heartbeats of the task before it, so that a reader of the log steps over any number of them,
-- and knows how many there are, in one look. The store writes here when it appends: see store/sqlite/heartbeats.py.
CREATE TABLE task_heartbeats (
  task_id   TEXT NOT NULL REFERENCES tasks (task_id) ON DELETE CASCADE,
  first_seq INTEGER NOT NULL,
  last_seq  INTEGER NOT NULL,
  before    INTEGER NOT NULL,
  PRIMARY KEY (task_id, first_seq)
) WITHOUT ROWID;

INSERT INTO task_heartbeats
SELECT task_id, first_seq, last_seq, sum(beats) OVER (PARTITION BY task_id ORDER BY first_seq) - beats
FROM (
  SELECT task_id, min(seq) AS first_seq, max(seq) AS last_seq, count(*) AS beats
  FROM (
    SELECT task_id, seq, seq - row_number() OVER (PARTITION BY task_id ORDER BY seq) AS stretch
    FROM task_events WHERE event_type = 'runner_heartbeat'
  )
  GROUP BY task_id, stretch
);

-- What the projection of a task says of its heartbeats, for the tasks that were there before.
UPDATE tasks SET state = json_set(
  state,
  '$.heartbeats', (
    SELECT before + last_seq - first_seq + 1 FROM task_heartbeats AS beats
    WHERE beats.task_id = tasks.task_id ORDER BY first_seq DESC LIMIT 1
  ),
  '$.heartbeat_seq', (SELECT max(last_seq) FROM task_heartbeats AS beats WHERE beats.task_id = tasks.task_id),
  '$.heartbeat_at', (
    SELECT created_at FROM task_events AS events WHERE events.task_id = tasks.task_id AND seq = (
      SELECT max(last_seq) FROM task_heartbeats AS beats WHERE beats.task_id = tasks.task_id
    )
  )
)
WHERE json_valid(state) AND EXISTS (SELECT 1 FROM task_heartbeats AS beats WHERE beats.task_id = tasks.task_id);
