"""The processes that serve a store at the moment, and the numbers that they share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Mapping

import msgspec

from signalbox.store.contract.following import Watch

CountKey = tuple[str, str]
"""The kind of a count and the name within the kind, such as `("session", "a-task-id")`."""

LIFETIME = 8.0
"""Seconds after its last report for which a process counts as running, by the clock of the database."""


class SharedCounts(msgspec.Struct, frozen=True):
    """The counts of several processes. `counts` has the sum for each key."""

    processes: int
    counts: dict[CountKey, int]


class Processes(ABC):
    """The running processes of a store, available as `store.processes`.

    A process reports its counts under an id that no other process uses, and again at least every few seconds for as
    long as it runs. Each report is one small transaction. A process that ends without `remove` is ignored after
    `LIFETIME` seconds. A report changes neither the log nor a task.

    All methods are coroutines without a blocking form, because only servers use them.
    """

    @abstractmethod
    async def report(self, process_id: str, counts: Mapping[CountKey, int], *, complete: bool = False) -> None:
        """Record that the process runs, and set these counts of it; 0 removes a count.

        With `complete` all other counts of the process are removed. Raises StoreUnavailable.
        """

    @abstractmethod
    async def remove(self, process_id: str) -> None:
        """Remove a process that ends, with its counts."""

    @abstractmethod
    async def others(self, process_id: str, kinds: Collection[str]) -> SharedCounts:
        """Return the number of the other running processes, and their counts of these kinds."""

    @abstractmethod
    async def count_of_others(self, process_id: str, key: CountKey) -> int:
        """Return the sum of one count over the other running processes."""

    @abstractmethod
    def watch(self, callback: Callable[[], None]) -> Watch | None:
        """Call `callback` in the running event loop when another process may have reported.

        The caller closes the watch. As with `Store.watch`, the calls are only hints. Returns None if a report is
        noticed as a commit without events.
        """
