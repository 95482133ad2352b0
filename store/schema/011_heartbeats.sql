-- Heartbeats are no rows of the log that people read. A run of heartbeats without anything between them is one row here,
-- and `before` counts the heartbeats of the task before it, so that a reader of the log steps over any number of them,
-- and knows how many there are, in one look. Only heartbeats write here: other appends cost what they did.
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

CREATE TRIGGER task_events_heartbeat AFTER INSERT ON task_events WHEN new.event_type = 'runner_heartbeat' BEGIN
  INSERT INTO task_heartbeats
  SELECT
    new.task_id,
    CASE WHEN last.last_seq = new.seq - 1 THEN last.first_seq ELSE new.seq END,
    new.seq,
    CASE WHEN last.last_seq IS NULL THEN 0 ELSE last.before + last.last_seq - last.first_seq + 1 END
  FROM (SELECT 1) LEFT JOIN (
    SELECT * FROM task_heartbeats WHERE task_id = new.task_id ORDER BY first_seq DESC LIMIT 1
  ) AS last
  WHERE true
  ON CONFLICT (task_id, first_seq) DO UPDATE SET last_seq = excluded.last_seq;
END;

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
