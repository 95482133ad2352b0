"""The store: its writes, its views, and its life."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from signalbox.store.blocking import blocking
from signalbox.store.contract.following import Peek, Watch
from signalbox.store.contract.people import People
from signalbox.store.contract.reading import Reading
from signalbox.store.contract.values import StoreStats
from signalbox.store.contract.writing import Writing


class Store(Writing):
    """An open store. Call `close()` or `aclose()` when done.

    Its methods may be called from any thread and from any event loop, also from loops that run one after another
    (`asyncio.run`). A kind of store whose connections belong to one loop runs them in a loop of its own: see
    `store.loop_thread`.

    `url` is the URL that it was opened with. `epoch` names the database. It changes when another database, or a copy
    of this one, takes its place while the store is open; a database that is made anew has another one.
    """

    url: str
    epoch: str
    people: People

    @property
    @abstractmethod
    def key(self) -> bytes | None:
        """The 32 random bytes that this store signs with; no route serves them.

        None while other users of the machine can read the database file.
        """

    # reading

    @abstractmethod
    def read(self) -> AbstractAsyncContextManager[Reading]:
        """A consistent view: `async with store.read() as view: …`. Keep it short: it holds a connection.

        Code that holds a view must not request another one (NestedView): check rights and read people first. Raises
        StoreUnavailable if no connection is free in time.
        """

    @abstractmethod
    def glance(self) -> AbstractAsyncContextManager[Reading]:
        """A view for a single question. It is cheaper than `read()`, and two answers from it need not agree."""

    # following

    @abstractmethod
    def peek(self) -> Peek:
        """A new `Peek` at the end of the log. The caller closes it."""

    @abstractmethod
    def on_commit(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` after each commit of this process, in any thread. Returns a function that stops this.

        An exception of the callback is logged, and fails neither the write nor other callbacks.
        """

    @abstractmethod
    def watch(self, callback: Callable[[], None]) -> Watch | None:
        """Call `callback` in the running event loop when any process may have committed. The caller closes the watch.

        A call may come without a commit, and a commit without a call: it is a hint to look, and polls remain. None if
        this kind of store, or this system, gives no such hint.
        """

    @property
    @abstractmethod
    def generation(self) -> int:
        """How many times a database was opened: more than once if the first one was lost. See also `epoch`."""

    # its state

    @abstractmethod
    def stats(self) -> StoreStats:
        """What the store is doing now. It never waits, and works while the database is gone."""

    @property
    @abstractmethod
    def problems(self) -> list[tuple[str, str]]:
        """What is wrong with the database now, as codes and messages. They name no file, task or person."""

    @abstractmethod
    async def acheck(self) -> None:
        """Check that the open database is still the one that the URL names; if not, try to open that one.

        Until one can be opened, everything raises StoreUnavailable. While the disk is full, it tries to write again.
        """

    check = blocking(acheck)

    @abstractmethod
    async def aclose(self) -> None:
        """Commit the writes that wait, then close the database. Later calls raise StoreClosed."""

    close = blocking(aclose)
