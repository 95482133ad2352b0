-- compatible-from: 001_initial

-- The newest tasks are folded again when the database is opened, unless they are long: older versions did not project
-- tokens, cost and conversations. `refold` in store/sql/refold.py deletes the rows.
CREATE TABLE tasks_to_fold (task_id text COLLATE "C" PRIMARY KEY);
INSERT INTO tasks_to_fold
SELECT task_id FROM (SELECT task_id, last_seq FROM tasks ORDER BY created_at DESC LIMIT 200) AS newest
WHERE last_seq BETWEEN 1 AND 5000;
