"""The table of tags, by which the task list filters. The state of a task has its tags too."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store.sql.database import Database
from signalbox.store.sql.dialect import Condition
from signalbox.store.state import Task

Tags = Sequence[tuple[str, str]]

_UPSERT = (
    "INSERT INTO task_tags (task_id, name, value, created_at, changed_seq) VALUES (?, ?, ?, ?, ?)"
    " ON CONFLICT (task_id, name) DO UPDATE SET value = excluded.value, created_at = excluded.created_at,"
    " changed_seq = excluded.changed_seq"
)


def save(db: Database, task: Task) -> None:
    """Write the tags of a task. The row of a removed tag stays, with NULL, so that a move of the store notices it."""
    stored = dict(db.execute("SELECT name, value FROM task_tags WHERE task_id = ?", (task.task_id,)).fetchall())
    present = task.tags
    seq = max(task.labels_seq, 1)
    rows = [
        (task.task_id, name, present.get(name), task.created_at, seq)
        for name in stored.keys() | present.keys()
        if stored.get(name) != present.get(name)
    ]
    if rows:
        db.executemany(_UPSERT, rows)


def replace(db: Database, task: Task) -> None:
    """Write the tags of a task anew, so that nothing is left of those that erased events gave it."""
    db.execute("DELETE FROM task_tags WHERE task_id = ?", (task.task_id,))
    save(db, task)


def tagged(tags: Tags) -> Condition:
    """Return the condition that a task has all of these tags."""
    one = "EXISTS (SELECT 1 FROM task_tags AS t WHERE t.task_id = tasks.task_id AND t.name = ? AND t.value = ?)"
    return " AND ".join([one] * len(tags)) or "TRUE", [text for tag in tags for text in tag]


def newest_tagged(tag: tuple[str, str]) -> Condition:
    """Return a table of the tasks with this tag, which an index sorts by `tagged_at` and `tagged_id`."""
    return (
        "(SELECT task_id AS tagged_id, created_at AS tagged_at FROM task_tags WHERE name = ? AND value = ?) AS tagged",
        list(tag),
    )
