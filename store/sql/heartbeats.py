"""Skipping of heartbeats: finds the seqs of a log's rows without reading the heartbeats between them.

A row of the log is any event that is not a heartbeat. `task_heartbeats` has one row for each streak, that is, for
consecutive heartbeats. So there is at least one row of the log between two streaks.
"""

from __future__ import annotations

from collections.abc import Iterable

from signalbox.store.sql.database import Database

SeqRange = tuple[int, int]
"""The first and the last of consecutive seqs, either of a streak of heartbeats or of rows."""

BEFORE = (
    "SELECT first_seq, last_seq FROM task_heartbeats WHERE task_id = ? AND first_seq < ? AND last_seq > ?"
    " ORDER BY first_seq DESC LIMIT ?"
)
AFTER = (
    "SELECT first_seq, last_seq FROM task_heartbeats WHERE task_id = ? AND first_seq > coalesce(("
    "SELECT max(first_seq) FROM task_heartbeats WHERE task_id = ? AND first_seq <= ?), 0) - 1"
    " ORDER BY first_seq LIMIT ?"
)
COUNT = (
    "SELECT before + CASE WHEN last_seq < ? THEN last_seq ELSE ? END - first_seq + 1 FROM task_heartbeats"
    " WHERE task_id = ? AND first_seq <= ? ORDER BY first_seq DESC LIMIT 1"
)


# Not a trigger: it would make the append of every other event about a third slower.
RECORD = """
INSERT INTO task_heartbeats
SELECT
  new.task_id,
  CASE WHEN last.last_seq = new.first_seq - 1 THEN last.first_seq ELSE new.first_seq END,
  new.last_seq,
  CASE WHEN last.last_seq IS NULL THEN 0 ELSE last.before + last.last_seq - last.first_seq + 1 END
FROM (SELECT ? AS task_id, ? AS first_seq, ? AS last_seq) AS new LEFT JOIN (
  SELECT * FROM task_heartbeats WHERE task_id = ? ORDER BY first_seq DESC LIMIT 1
) AS last ON TRUE
WHERE TRUE
ON CONFLICT (task_id, first_seq) DO UPDATE SET last_seq = excluded.last_seq
"""
RECORD_ALL = """
INSERT INTO task_heartbeats
SELECT task_id, first_seq, last_seq, sum(beats) OVER (ORDER BY first_seq) - beats
FROM (
  SELECT task_id, min(seq) AS first_seq, max(seq) AS last_seq, count(*) AS beats
  FROM (
    SELECT task_id, seq, seq - row_number() OVER (ORDER BY seq) AS streak
    FROM task_events WHERE task_id = ? AND event_type = 'runner_heartbeat'
  ) AS beats
  GROUP BY task_id, streak
) AS streaks
"""


def record(db: Database, task_id: str, seqs: Iterable[int]) -> None:
    """Record heartbeats that were just appended to a task. `seqs` are in ascending order."""
    streaks: list[SeqRange] = []
    for seq in seqs:
        if streaks and streaks[-1][1] == seq - 1:
            streaks[-1] = (streaks[-1][0], seq)
        else:
            streaks.append((seq, seq))
    db.executemany(RECORD, [(task_id, first, last, task_id) for first, last in streaks])


def record_all(db: Database, task_id: str) -> None:
    """Record all heartbeats of a task whose log was just imported."""
    db.execute(RECORD_ALL, (task_id,))


def row_ranges_before(before: int, since: int, streaks: Iterable[SeqRange], limit: int) -> list[SeqRange]:
    """Return the ranges of the `limit` newest rows with `since` < seq < `before`, newest first.

    `streaks` are the heartbeat streaks below `before`, newest first: `limit` + 1 of them, or all.
    """
    found: list[SeqRange] = []
    top = before - 1
    for first, last in streaks:
        if top > last and limit > 0:
            low = max(last + 1, since + 1, top - limit + 1)
            if low <= top:
                found.append((low, top))
                limit -= top - low + 1
        top = min(top, first - 1)
    low = max(since + 1, top - limit + 1, 1)
    if limit > 0 and low <= top:
        found.append((low, top))
    return found


def row_ranges_after(since: int, streaks: Iterable[SeqRange], limit: int) -> list[SeqRange]:
    """Return the ranges of the first `limit` rows above `since`, oldest first. `streaks` are also oldest first."""
    found: list[SeqRange] = []
    low = since + 1
    for first, last in streaks:
        if first > low and limit > 0:
            top = min(first - 1, low + limit - 1)
            found.append((low, top))
            limit -= top - low + 1
        low = max(low, last + 1)
    if limit > 0:
        found.append((low, low + limit - 1))
    return found
