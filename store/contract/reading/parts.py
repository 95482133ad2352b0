"""Reads of the phases, checkpoints and artifacts of one task."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from signalbox.store.state import Artifact, Checkpoint, Phase


class PartReading(Protocol):
    """Reads of the phases, checkpoints and artifacts of one task."""

    async def phases(self, task_id: str) -> list[Phase]:
        """Return all phases, in the order in which the log first named them."""

    async def checkpoints(
        self, task_id: str, limit: int = 1000, *, before: int | None = None, ids: Collection[str] | None = None
    ) -> list[Checkpoint]:
        """Return the newest `limit` checkpoints in the order of their commits.

        With `before`, only those committed before that seq; with `ids`, only those with these ids.
        """

    async def checkpoint(self, task_id: str, checkpoint_id: str) -> Checkpoint | None:
        """Return one checkpoint, or None."""

    async def artifacts(self, task_id: str, limit: int = 100, before: int | None = None) -> list[Artifact]:
        """Return the newest `limit` artifacts that were stored before the seq `before` (None: of all), newest first."""

    async def artifact(self, task_id: str, seq: int) -> Artifact | None:
        """Return the artifact that the event `seq` stored, or None."""
