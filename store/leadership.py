"""Leadership: one of many processes holds a lease in the store, and does the work that must be done once.

    async with Leadership(store, "reports") as leadership:
        await leadership.acquire()
        await store.aappend_while(task_id, event, condition, fence=leadership.fence)

Every process that could do the work calls `acquire()`, and all but one wait there. When the holder leaves, another
process takes over within `SECONDS / RENEWALS`. When the holder dies or is stopped, another one takes over within
`SECONDS * (1 + 1 / RENEWALS)`, which is 8 s.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Self, TypeVar

from signalbox.store.contract import Claim, Fence, Store
from signalbox.store.errors import LeaseLost, StoreError
from signalbox.store.events import check_text, new_id
from signalbox.store.loops import Loop, end_tasks, shared_pause

T = TypeVar("T")

SECONDS = 6.0
"""Seconds without a renewal after which another process takes over."""

RENEWALS = 3
"""Renewals of a lease within its duration. A waiting process asks for the lease as often."""

RELEASE_TIMEOUT = 1.0
"""Seconds for which a process that stops waits for a busy database."""


class Leadership:
    """The claim of this process to the lease `name`. Use it in one event loop, with `async with`.

    `fence` makes a write fail with LeaseLost if another process has taken over. `on_loss` is called when a renewal
    shows that. With `forget`, leaving deletes the lease, because nobody will claim this name again.
    """

    def __init__(
        self,
        store: Store,
        name: str,
        *,
        seconds: float = SECONDS,
        on_loss: Callable[[], None] = lambda: None,
        forget: bool = False,
    ) -> None:
        check_text(name, "name")
        self.fence = Fence(name, new_id())
        self._store, self._seconds, self._on_loss, self._forget = store, seconds, on_loss, forget
        self._loop = Loop(f"lease {name}", max_pause=seconds / RENEWALS)
        self._epoch: str | None = None
        self._ended, self._claimed = asyncio.Event(), asyncio.Event()
        self._until = 0.0
        self._asking = False
        self._seen, self._since = -1, 0.0

    @property
    def held(self) -> bool:
        """Whether this process holds the lease, as far as it knows. False once it could not renew it in time."""
        return self._epoch is not None and self._epoch == self._store.epoch and time.monotonic() < self._until

    async def __aenter__(self) -> Self:
        self._renewing = asyncio.create_task(self._loop.run(self._renew), name=f"signalbox-lease-{self.fence.name}")
        return self

    async def __aexit__(self, *error: object) -> None:
        await end_tasks(self._renewing)
        await self.release()

    async def acquire(self, on_wait: Callable[[], None] = lambda: None) -> Claim:
        """Wait until this process holds the lease, and return its state. Raises StoreUnavailable.

        `on_wait` is called whenever the store answers that another process holds it. That may last for days, so a
        background loop that failed before records there that it works again.
        """
        while True:
            claim = await self._claim()
            if self.held:
                return claim
            on_wait()
            await asyncio.sleep(shared_pause(self._seconds / RENEWALS))

    async def lost(self) -> None:
        """Wait until this process no longer holds the lease."""
        await self._ended.wait()

    async def release(self) -> None:
        """Give up the lease, so that another process may take it at once. `acquire` takes it again."""
        if self._epoch is None and not self._asking:
            return
        self.resign()
        with suppress(StoreError, TimeoutError):  # If this fails, the lease ends by itself.
            async with asyncio.timeout(RELEASE_TIMEOUT):
                await self._store.arelease(self.fence.name, self.fence.holder, forget=self._forget)

    async def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of `work`. If this process loses the lease, cancel `work` and raise LeaseLost."""
        working, losing = asyncio.create_task(work), asyncio.create_task(self.lost())
        try:
            await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                return working.result()
        finally:
            await end_tasks(working, losing)
        raise LeaseLost(self.fence.name)

    def resign(self) -> None:
        """Stop renewing the lease, because a write has shown that another process holds it."""
        self._epoch = None
        self._claimed.clear()
        self._ended.set()

    async def _renew(self) -> None:
        """Renew the lease while this process holds it, even while the caller works."""
        await self._claimed.wait()
        await asyncio.sleep(shared_pause(self._seconds / RENEWALS))
        if self._epoch is None:
            return
        try:
            async with asyncio.timeout(self._seconds / RENEWALS):
                await self._claim()
        except TimeoutError:
            pass  # The next renewal may still be in time.
        finally:
            if not self.held:
                self.resign()
                self._on_loss()

    async def _claim(self) -> Claim:
        asked = time.monotonic()
        unchanged = self._seen if asked - self._since >= self._seconds else None
        # A caller that is cancelled may get the lease all the same, and then has to release it.
        self._asking = True
        claim = await self._store.aclaim(self.fence.name, self.fence.holder, self._seconds, unchanged=unchanged)
        self._asking = False
        if claim.held:
            self._epoch, self._until, self._seen = claim.epoch, asked + self._seconds, -1
            self._ended.clear()
            self._claimed.set()
        else:
            self._epoch = None
            self._claimed.clear()
            if claim.renewals != self._seen:
                self._seen, self._since = claim.renewals, time.monotonic()
        return claim
