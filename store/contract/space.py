"""Writes about space: the sizes of tasks, daily samples, deletion by a rule, and free pages."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

from signalbox.store.contract.reading.space import EndedTask, TaskSize


class Space(ABC):
    """The writes of retention, available as `store.space`. All are coroutines, because only servers use them."""

    @abstractmethod
    async def record_sizes(self, sizes: Sequence[TaskSize]) -> None:
        """Store sizes of tasks. Tasks that no longer exist are left out."""

    @abstractmethod
    async def delete_by_rule(self, task: EndedTask, rule: str) -> bool:
        """Delete a task because of a rule, with an audit that names it. Its rows are removed later.

        Returns False, and does nothing, if the task has changed, is held or is gone.
        """

    @abstractmethod
    async def record_sample(self, day: str, space: str) -> None:
        """Store the sample of a day as JSON. The oldest of several hundred samples is deleted."""

    @abstractmethod
    async def record_state(self, state: str) -> None:
        """Store the state of retention as JSON, which `retention_state` returns in every process."""

    @abstractmethod
    async def return_pages(self) -> bool:
        """Return some free pages to the file system, in one short transaction. Returns whether more can be returned."""
