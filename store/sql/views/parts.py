"""Queries of the phases, checkpoints and artifacts of a task."""

from __future__ import annotations

from collections.abc import Collection

from signalbox.store.sql.dialect import everything, one_of
from signalbox.store.sql.views.base import UNLIMITED, Rows
from signalbox.store.state import Artifact, Checkpoint, Phase


class PartViews(Rows):
    """Implements `PartReading` of `store.contract`."""

    async def phases(self, task_id: str) -> list[Phase]:
        return await self._values(Phase, "SELECT state FROM task_phases WHERE task_id = ? ORDER BY first_seq", task_id)

    async def checkpoints(
        self, task_id: str, limit: int = 1000, *, before: int | None = None, ids: Collection[str] | None = None
    ) -> list[Checkpoint]:
        named, keys = everything()
        if ids is not None:
            # Not `among`, because an id may have a NUL, where SQLite ends a text in JSON.
            named, keys = one_of("checkpoint_id", [self.dialect.stored_key(one) for one in ids])
        found = await self._values(
            Checkpoint,
            f"SELECT state FROM task_checkpoints WHERE task_id = ? AND seq < ? AND {named} ORDER BY seq DESC LIMIT ?",
            *(task_id, UNLIMITED if before is None else before, *keys, limit),
        )
        return found[::-1]

    async def checkpoint(self, task_id: str, checkpoint_id: str) -> Checkpoint | None:
        sql = "SELECT state FROM task_checkpoints WHERE task_id = ? AND checkpoint_id = ?"
        return next(iter(await self._values(Checkpoint, sql, task_id, self.dialect.stored_key(checkpoint_id))), None)

    async def artifacts(self, task_id: str, limit: int = 100, before: int | None = None) -> list[Artifact]:
        sql = "SELECT state FROM task_artifacts WHERE task_id = ? AND seq < ? ORDER BY seq DESC LIMIT ?"
        return await self._values(Artifact, sql, task_id, UNLIMITED if before is None else before, limit)

    async def artifact(self, task_id: str, seq: int) -> Artifact | None:
        sql = "SELECT state FROM task_artifacts WHERE task_id = ? AND seq = ?"
        return next(iter(await self._values(Artifact, sql, task_id, seq)), None)
