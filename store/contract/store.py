"""The store: its writes, its views, and its life."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from signalbox.store.contract.peek import Peek
from signalbox.store.contract.reading import Reading
from signalbox.store.contract.writing import Writing
from signalbox.store.people import People


class Store(Writing, Protocol):
    """An open store. All methods are safe to call from any thread. Call `close()` when done.

    `epoch` names the database. It changes when another database, or a copy of this one, takes its place while the
    store is open; a database that is made anew has another one.
    """

    url: str
    epoch: str

    @property
    def people(self) -> People:
        """Accounts, tokens, projects and their members."""

    @property
    def key(self) -> bytes | None:
        """The 32 random bytes that this store signs with; no route serves them.

        None while other users of the machine can read the database file.
        """

    def read(self) -> AbstractAsyncContextManager[Reading]:
        """A consistent view: `async with store.read() as view: …`. Keep it short: it holds a connection.

        Code that holds a view must not request another one (NestedView): check rights and read people first.
        """

    def glance(self) -> AbstractAsyncContextManager[Reading]:
        """A view for a single question. It is cheaper than `read()`, and two answers from it need not agree."""

    def peek(self) -> Peek:
        """A new `Peek` at the end of the log. The caller closes it."""

    @property
    def generation(self) -> int:
        """How many times a database was opened: more than once if the first one was lost. See also `epoch`."""

    def check(self) -> None:
        """Check that the open database is still the one that the URL names; if not, try to open that one. Blocks.

        Until one can be opened, everything raises StoreUnavailable.
        """

    def on_commit(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` (from any thread) after each commit of this process. Returns a function that stops this."""

    def close(self) -> None:
        """Commit the writes that wait, then close the database."""

    async def aclose(self) -> None:
        """`close` for asyncio. It also closes the readers' connections."""
