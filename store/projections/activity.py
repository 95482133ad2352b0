"""How busy a run was over its life: counts of its events, without heartbeats, in a few buckets of the same width.

When a run outgrows them, two become one and each is twice as wide: a run of any length has between 12 and 24.
"""

from __future__ import annotations

from signalbox.store.events import epoch_seconds, timestamp
from signalbox.store.state import Activity, Task

BUCKETS = 24
FIRST_WIDTH = 1.0
"""Seconds; doubles as often as needed."""


def count(task: Task, created_at: str, events: int = 1) -> None:
    """Count one event, or with `events` 0 only the time that passed until it, as for a heartbeat.

    An event counts in the last bucket if its time cannot be read or lies before that bucket.
    """
    activity = task.activity
    if activity is not None and activity.counts and created_at < activity.until:
        activity.counts[-1] += events
        return
    try:
        at = epoch_seconds(created_at)
        begun = epoch_seconds(activity.since) if activity else at
    except (ValueError, TypeError):
        if activity is not None and activity.counts:
            activity.counts[-1] += events
        return
    if activity is None or not activity.width > 0:
        task.activity = activity = Activity(since=created_at, width=FIRST_WIDTH, counts=[0], until="")
        begun = at
    while (index := int((at - begun) / activity.width)) >= BUCKETS:
        counts = activity.counts
        activity.counts = [sum(counts[n : n + 2]) for n in range(0, len(counts), 2)]
        activity.width *= 2
    activity.counts += [0] * (index + 1 - len(activity.counts))
    activity.counts[-1] += events
    activity.until = timestamp(begun + len(activity.counts) * activity.width)
