"""The interface of a store: its writes, its views, following its log, and its state."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from signalbox.store.blocking import blocking
from signalbox.store.contract.cold import ColdStorage
from signalbox.store.contract.following import Peek, Watch
from signalbox.store.contract.people import People
from signalbox.store.contract.processes import Processes
from signalbox.store.contract.reading import Reading
from signalbox.store.contract.space import Space
from signalbox.store.contract.values import StoreStats
from signalbox.store.contract.writing import Writing


class Store(Writing):
    """An open store. Call `close()` or `aclose()` when done.

    Its methods may be called from any thread and any event loop, also from several loops in succession (`asyncio.run`).
    A kind of store whose connections belong to one loop runs a loop of its own: see `store.loop_thread`.

    `url` and `bus_url` are the URLs that the store was opened with, which may contain passwords. `epoch` identifies the
    database. It changes when another database or a copy of this one takes its place while the store is open. A newly
    created database has a new epoch.
    """

    url: str
    bus_url: str | None = None
    epoch: str
    people: People
    processes: Processes
    cold: ColdStorage
    space: Space

    @property
    @abstractmethod
    def key(self) -> bytes | None:
        """The 32 random bytes with which this store signs, or None while other users can read the database file.

        No route returns them.
        """

    # reading

    @abstractmethod
    def read(self) -> AbstractAsyncContextManager[Reading]:
        """Return a consistent view: `async with store.read() as view: …`. Keep the block short: it holds a connection.

        Check rights and read people before: code that holds a view must not request another one (NestedView). Raises
        StoreUnavailable if no connection becomes free in time.
        """

    @abstractmethod
    def glance(self) -> AbstractAsyncContextManager[Reading]:
        """Return a view for a single query. It is cheaper than `read()`, but two queries may see different states."""

    # following

    @abstractmethod
    def peek(self) -> Peek:
        """Return a new `Peek` at the end of the log. The caller closes it."""

    @abstractmethod
    def on_commit(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after each commit of this process, in any thread. Returns a function that stops this.

        Commits of background work are left out, such as the renewal of a lease: no page shows what they change.

        An exception in the callback is logged. It affects neither the write nor the other callbacks.
        """

    @abstractmethod
    def watch(self, callback: Callable[[], None]) -> Watch | None:
        """Call `callback` in the running event loop when another process may have committed.

        The caller closes the watch. The calls are only hints: there may be a call without such a commit, and such a
        commit without a call, so callers must also poll. Returns None if this kind of store or this operating system
        has no such hints.
        """

    @property
    @abstractmethod
    def generation(self) -> int:
        """How often a database was opened. It is more than once if a database was lost. See also `epoch`."""

    # state

    @property
    def clock_offset(self) -> float:
        """Seconds by which the database's clock was ahead of this machine's when the database was last checked.

        Add it to this machine's time before comparing that with a time in the database.
        """
        return 0.0

    @abstractmethod
    def stats(self) -> StoreStats:
        """Return counters of the store. Never waits, and works while the database is lost."""

    @property
    @abstractmethod
    def problems(self) -> list[tuple[str, str]]:
        """Faults of the database now, as pairs of a code and a message. Messages name no file, task or person."""

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """Faults that delay events and do nothing worse, in the same form as `problems`."""
        return []

    @abstractmethod
    async def acheck(self) -> None:
        """Check that the open database is still the one at the URL. If it is not, try to open the one at the URL.

        Until a database can be opened, all calls raise StoreUnavailable. While the disk is full, this tries to write.
        """

    check = blocking(acheck)

    @abstractmethod
    async def aclose(self) -> None:
        """Commit the queued writes, then close the database. Later calls raise StoreClosed."""

    close = blocking(aclose)
