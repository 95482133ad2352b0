"""Reads of kinds of tasks: their names, and short facts of their newest runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from signalbox.store.contract.values import RunFacts


class KindReading(Protocol):
    """Reads of the kinds of tasks. `projects` restricts a method to tasks of these projects; None means all projects.

    The runs of one kind with all their facts are read with `tasks`.
    """

    async def kinds(self, after: str = "", limit: int = 100, projects: Sequence[str] | None = None) -> list[str]:
        """Return the names of the first `limit` kinds after `after`, sorted by code point."""

    async def fingerprints(self, task_ids: Sequence[str]) -> dict[str, str]:
        """Return the fingerprint of the error of each of these tasks. Tasks without one are absent."""

    async def newest_runs(
        self, kinds: Sequence[str], limit: int, projects: Sequence[str] | None = None
    ) -> dict[str, list[RunFacts]]:
        """Return the newest `limit` tasks of each of these kinds, the newest first. `kinds` has at most 100 names."""
