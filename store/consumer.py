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

from typing import Self

from signalbox.store.bounded_reads import bounded_read, payload_bytes
from signalbox.store.contract import Store
from signalbox.store.errors import LeaseLost
from signalbox.store.events import Event
from signalbox.store.leadership import SECONDS, Leadership
from signalbox.store.wake import Wake

BATCH_BYTES = 8 * 1024 * 1024
"""Bytes of payloads in one batch. One longer event is still a batch."""


class Consumer:
    """The handle of the consumer `name` in one process. Use it in one event loop, with `async with`.

    Iterating yields lists of 1 to `limit` events of all tasks, in commit order; fewer if they are long.
    Events of deleted tasks are skipped. The iteration first waits until this process holds the lease. It never ends. It
    raises StoreUnavailable or StoreDamaged if the log cannot be read; iterate again to continue.

    `position` is the event id of the last commit. It is 0 when the consumer starts from the beginning: the first time,
    and after the database was replaced by another one. Then discard everything that was derived from earlier events.
    """

    def __init__(self, store: Store, name: str, *, lease: float = SECONDS, limit: int = 500) -> None:
        self._leadership = Leadership(store, name, seconds=lease, on_loss=self._nudge)
        self.name = name
        self.position = 0
        self._store, self._lease, self._limit = store, lease, limit
        self._epoch = ""
        self._read_to = 0

    @property
    def holds_lease(self) -> bool:
        """Whether this process holds the lease, as far as it knows."""
        return self._leadership.held

    async def __aenter__(self) -> Self:
        self._wake = Wake(self._store)
        await self._leadership.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        self._wake.close()
        await self._leadership.__aexit__(*error)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> list[Event]:
        while True:
            if not self._may_read():
                await self._wait_for_the_lease()
            epoch = self._epoch
            async with self._store.glance() as view:
                events, _ = await bounded_read(
                    lambda last, n: view.events_after(last.event_id if last else self._read_to, n),
                    self._limit,
                    BATCH_BYTES,
                    payload_bytes,
                )
            if self._epoch != epoch or not self._may_read():
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
        position, holder = self._read_to, self._leadership.fence.holder
        try:
            await self._store.acommit_position(self.name, holder, self._epoch, position, self._lease)
        except LeaseLost:
            self._leadership.resign()
            raise
        self.position = position

    async def _wait_for_the_lease(self) -> None:
        """Wait for the lease, then return to the position of the last commit."""
        claim = await self._leadership.acquire()
        self._epoch, self.position, self._read_to = claim.epoch, claim.position, claim.position
        self._wake.watch_again()

    def _may_read(self) -> bool:
        return self._leadership.held and self._epoch == self._store.epoch

    def _nudge(self) -> None:
        self._wake.nudge()
