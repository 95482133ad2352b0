-- Pages do not show heartbeats as rows of the log. Consecutive heartbeats are one row of this table, and `before` is the
-- number of the task's heartbeats before them. So a reader of the log skips and counts any number of heartbeats with one
-- lookup. Appends write to this table: see store/sql/heartbeats.py.
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

-- The heartbeat fields in the projections of existing tasks.
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
