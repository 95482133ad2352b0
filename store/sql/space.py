"""Writes about the space that tasks take: their sizes, the samples of each day, and the state of retention."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from signalbox.store.contract.reading.space import EndedTask, TaskSize
from signalbox.store.contract.space import Space
from signalbox.store.sql import task_actions
from signalbox.store.sql.cold_tasks import stages
from signalbox.store.sql.database import Database
from signalbox.store.sql.group_commit import Calls
from signalbox.store.sql.removal import WEIGHT
from signalbox.store.sql.views.space import RETENTION_FACT

MAX_SAMPLES = 800
"""Days of which samples are kept."""


def record_sizes(db: Database, sizes: Sequence[TaskSize]) -> None:
    """Store sizes of tasks that still exist."""
    for size in sizes:
        sql = "SELECT 1 FROM task_event_seq_counters WHERE task_id = ? AND identity = ?"
        if db.execute(sql, (size.task_id, size.identity)).fetchone() is None:
            continue
        db.execute(
            "INSERT INTO task_sizes (task_id, identity, seq, bytes, artifacts, ended_at) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (task_id) DO UPDATE SET identity = excluded.identity, seq = excluded.seq,"
            " bytes = excluded.bytes, artifacts = excluded.artifacts, ended_at = excluded.ended_at",
            (size.task_id, size.identity, size.seq, size.bytes, size.artifacts, size.ended_at),
        )


def record_sample(db: Database, day: str, space: str) -> None:
    """Store the sample of a day, and delete the oldest samples."""
    db.execute(
        "INSERT INTO space_samples (day, space) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET space = excluded.space",
        (day, space),
    )
    oldest = "SELECT day FROM space_samples ORDER BY day DESC LIMIT 1 OFFSET ?"
    found = db.execute(oldest, (MAX_SAMPLES,)).fetchone()
    if found is not None:
        db.execute("DELETE FROM space_samples WHERE day <= ?", (found[0],))


def record_state(db: Database, state: str) -> None:
    """Store the state of retention."""
    db.execute(
        "INSERT INTO store_facts (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (RETENTION_FACT, state),
    )


class SpaceTables(Space):
    """Implements `Space` with the writer of a store. `return_pages` returns pages, and whether there are more.

    `delete_file` deletes the cold file of a deleted task, or leaves it to `afinish`. It blocks.
    """

    def __init__(
        self, calls: Calls, return_pages: Callable[[Database], bool], delete_file: Callable[[stages.StoredFile], None]
    ) -> None:
        self._calls = calls
        self._return_pages = return_pages
        self._delete_file = delete_file

    async def record_sizes(self, sizes: Sequence[TaskSize]) -> None:
        await self._calls.write(lambda db: record_sizes(db, sizes))

    async def delete_by_rule(self, task: EndedTask, rule: str) -> bool:
        def delete(db: Database) -> tuple[bool, stages.StoredFile | None]:
            file = stages.file_of(db, task.task_id)
            return task_actions.delete_by_rule(db, task, rule), file

        deleted, file = await self._calls.write(delete, WEIGHT, unchecked=True)
        if deleted and file is not None:
            await self._calls.off_the_loop(partial(self._delete_file, file))
        return deleted

    async def record_sample(self, day: str, space: str) -> None:
        await self._calls.write(lambda db: record_sample(db, day, space))

    async def record_state(self, state: str) -> None:
        await self._calls.write(lambda db: record_state(db, state))

    async def return_pages(self) -> bool:
        return await self._calls.write(self._return_pages, WEIGHT)
