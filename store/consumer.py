"""A durable consumer: processes every event of the log at least once, in one process at a time.

    async with Consumer(store, "search") as consumer:
        async for events in consumer:
            await index(events)
            await consumer.commit()

The store saves the position under the consumer's name, and gives the lease to one process. Other processes with the
same name wait. When the holder leaves, or does not renew its lease in time, one of them continues after the last
commit. It gets the events after that commit again, so processing an event twice must have the same effect as once.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Self

from signalbox.store.contract import Store
from signalbox.store.errors import LeaseLost, StoreError
from signalbox.store.events import Event, check_text, new_id
from signalbox.store.wake import Wake

LEASE = 10.0
"""Seconds without a renewal after which another process takes over."""

RENEWALS = 3
"""Renewals of a lease within its duration. A waiting process also checks the lease this often."""


class Consumer:
    """The handle of the consumer `name` in one process. Use it in one event loop, with `async with`.

    Iterating yields lists of 1 to `limit` events of all tasks, in commit order. Events of deleted tasks are skipped.
    The iteration first waits until this process holds the lease. It never ends. It raises StoreUnavailable or
    StoreDamaged if the log cannot be read; iterate again to continue.

    `position` is the event id of the last commit. It is 0 when the consumer starts from the beginning: the first time,
    and after the database was replaced by another one. Then discard everything that was derived from earlier events.
    """

    def __init__(self, store: Store, name: str, *, lease: float = LEASE, limit: int = 500) -> None:
        check_text(name, "name")
        self.name = name
        self.position = 0
        self._store, self._lease, self._limit = store, lease, limit
        self._holder = new_id()
        self._epoch: str | None = None
        self._read_to = 0

    @property
    def holds_lease(self) -> bool:
        """Whether this process holds the lease, as far as it knows."""
        return self._epoch is not None

    async def __aenter__(self) -> Self:
        self._wake = Wake(self._store)
        self._renewing = asyncio.create_task(self._renew(), name=f"signalbox-consumer-{self.name}")
        return self

    async def __aexit__(self, *error: object) -> None:
        self._renewing.cancel()
        await asyncio.gather(self._renewing, return_exceptions=True)
        self._wake.close()
        self._epoch = None
        with suppress(StoreError):  # If this fails, the lease ends by itself.
            await self._store.arelease(self.name, self._holder)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Event]:
        while True:
            if self._epoch != self._store.epoch:
                await self._wait_for_the_lease()
            epoch = self._epoch
            async with self._store.glance() as view:
                events = await view.events_after(self._read_to, self._limit)
            if self._epoch != epoch or epoch != self._store.epoch:
                continue
            self._wake.record_read(found_events=bool(events))
            if events:
                self._read_to = events[-1].event_id
                return events
            await self._wake.wait()

    async def commit(self) -> None:
        """Record that all events yielded so far are processed. Raises LeaseLost, and StoreUnavailable.

        After LeaseLost, another process may have processed them too. Iterate again to wait for the lease.
        """
        if self._epoch is None:
            raise LeaseLost(self.name)
        position = self._read_to
        try:
            await self._store.acommit_position(self.name, self._holder, self._epoch, position, self._lease)
        except LeaseLost:
            self._epoch = None
            raise
        self.position = position

    async def _wait_for_the_lease(self) -> None:
        """Claim the lease until this process holds it, then return to the position of the last commit."""
        self._epoch = None
        seen, since = -1, time.monotonic()
        while True:
            unchanged = seen if time.monotonic() - since >= self._lease else None
            claim = await self._store.aclaim(self.name, self._holder, self._lease, unchanged=unchanged)
            if claim.held:
                self._epoch, self.position, self._read_to = claim.epoch, claim.position, claim.position
                if claim.epoch == self._store.epoch:
                    self._wake.watch_again()
                    return
            elif claim.renewals != seen:
                seen, since = claim.renewals, time.monotonic()
            await asyncio.sleep(self._lease / RENEWALS)

    async def _renew(self) -> None:
        """Renew the lease while this process holds it, even while the caller processes events."""
        while True:
            await asyncio.sleep(self._lease / RENEWALS)
            epoch = self._epoch
            if epoch is None:
                continue
            try:
                claim = await self._store.aclaim(self.name, self._holder, self._lease)
            except StoreError:
                continue  # The next try may succeed. If none does in time, the commit raises LeaseLost.
            if self._epoch == epoch and (not claim.held or claim.epoch != epoch):
                self._epoch = None
                self._wake.nudge()
