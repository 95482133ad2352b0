"""Measures the tasks whose logs have grown, with reads only, so that no append waits for it."""

from __future__ import annotations

import time
from contextlib import suppress

from signalbox.store import Store, UnknownTask
from signalbox.store.cold.errors import ColdFileUnreadable, ColdPlaceUnavailable
from signalbox.store.contract.reading.space import SPAN_BYTES, ChangedSize, TaskSize
from signalbox.store.errors import StoreDamaged

TASKS_PER_WRITE = 100
EVENTS_PER_READ = 20_000


async def measure(store: Store, at: str, *, seconds: float) -> bool:
    """Measure the tasks that have changed, for about `seconds`. `at` is the present time. Return whether all were."""
    until = time.monotonic() + seconds
    after = ""
    while True:
        async with store.read() as view:
            changed = await view.changed_sizes(after, TASKS_PER_WRITE)
        if not changed:
            return True
        sizes = []
        for one in changed:
            # What cannot be read has no size, so the rules leave it alone. Health reports the damage.
            with suppress(StoreDamaged, ColdPlaceUnavailable, ColdFileUnreadable):
                size = await _size(store, one, at)
                if size is not None:
                    sizes.append(size)
            if time.monotonic() >= until:
                break
        await store.space.record_sizes(sizes)
        if time.monotonic() >= until:
            return False
        after = changed[-1].task_id


async def _size(store: Store, changed: ChangedSize, at: str) -> TaskSize | None:
    """Return the present size of a task, or None if it is gone. Only the events since the last time are read."""
    measured, task_id = changed.measured, changed.task_id
    seq, total = (measured.seq, measured.bytes) if measured else (0, 0)
    while seq < changed.latest_seq:
        until = min(changed.latest_seq, seq + EVENTS_PER_READ)
        async with store.glance() as view:
            total += await view.log_bytes(task_id, seq, until)
        seq = until
    try:
        async with store.read() as view:
            task = await view.task(task_id)
            artifacts = await view.artifact_bytes(task_id) if task.artifacts_total else 0
            imported = measured is None and await view.is_imported(task_id)
    except UnknownTask:
        return None
    if measured is None:
        total += SPAN_BYTES * task.spans_total
    ended_at = None
    if task.ended:
        # An imported run is as old as its import: nobody imports a run for it to be deleted at once.
        before = measured.ended_at if measured else None
        ended_at = max(task.updated_at, task.ended_at or "", before or "", at if imported else "")
    return TaskSize(task_id, changed.identity, changed.latest_seq, total, artifacts, ended_at)
