"""Test that event ids follow the order of the commits, however transactions of several writers overlap."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import product

import pytest

from signalbox.store import Event, NewEvent, Store, open_store
from signalbox.store.state import Task

LOG = NewEvent(event_type="log")
OUTCOMES = ("stores", "declines", "fails")


class Overlapping:
    """An append that stays in its transaction until `finish` is called. `outcome` is one of OUTCOMES."""

    def __init__(self, store: Store, outcome: str, pool: ThreadPoolExecutor) -> None:
        self._outcome = outcome
        self._began, self._may_end = threading.Event(), threading.Event()
        self._call: Future[Event | None] = pool.submit(store.append_while, "run", LOG, self._condition)

    def _condition(self, task: Task) -> bool:
        self._began.set()
        self._may_end.wait(60)
        if self._outcome == "fails":
            raise ZeroDivisionError
        return self._outcome == "stores"

    def began(self, timeout: float) -> bool:
        """Wait until the transaction has read the log's position, and return whether it has."""
        return self._began.wait(timeout)

    def finish(self) -> int | None:
        """Let the transaction end, and return the id of the event that it stored."""
        self._may_end.set()
        try:
            event = self._call.result(60)
        except ZeroDivisionError:
            return None
        return event.event_id if event is not None else None


async def visible(store: Store, after: int) -> list[int]:
    async with store.glance() as view:
        return [event.event_id for event in await view.events_after(after)]


@pytest.mark.parametrize("outcomes", list(product(OUTCOMES, repeat=2)), ids="-".join)
async def test_overlapping_transactions_commit_in_the_order_of_their_ids(
    store: Store, url: str, outcomes: tuple[str, str]
) -> None:
    (begin,) = store.append("run", LOG)
    with closing(open_store(url)) as other, ThreadPoolExecutor(3) as pool:
        first = Overlapping(store, outcomes[0], pool)
        assert first.began(30)
        second = Overlapping(other, outcomes[1], pool)
        # The second transaction gets no id while the first may still commit a lower one.
        assert not second.began(0.3)
        assert await visible(store, begin.event_id) == []

        ids = [first.finish()]
        assert second.began(30)
        seen = await visible(store, begin.event_id)
        ids.append(second.finish())

        stored = [one for one in ids if one is not None]
        assert len(stored) == outcomes.count("stores")
        assert stored == sorted(stored)
        assert seen == stored[: outcomes[:1].count("stores")]
        assert await visible(store, begin.event_id) == stored
