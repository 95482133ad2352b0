"""The activity of a run over time: counts of its events without heartbeats, in buckets of equal width.

When a run needs more than 24 buckets, pairs are merged and the width doubles. So a long run has 12 to 24 buckets.
"""

from __future__ import annotations

from signalbox.store.state import Activity, Task
from signalbox.store.times import epoch_seconds, timestamp

BUCKETS = 24
FIRST_WIDTH = 1.0
"""The initial width of a bucket in seconds."""


def count(task: Task, created_at: str, events: int = 1) -> None:
    """Count one event. With `events` 0, as for a heartbeat, only extend the buckets up to its time.

    An event is counted in the last bucket if its time cannot be parsed or is before that bucket.
    """
    activity = task.activity
    if activity is not None and activity.counts and created_at < activity.until:
        activity.counts[-1] += events
        return
    try:
        at = epoch_seconds(created_at)
        start = epoch_seconds(activity.since) if activity else at
    except (ValueError, TypeError):
        if activity is not None and activity.counts:
            activity.counts[-1] += events
        return
    if activity is None or not activity.width > 0:
        task.activity = activity = Activity(since=created_at, width=FIRST_WIDTH, counts=[0], until="")
        start = at
    while (index := int((at - start) / activity.width)) >= BUCKETS:
        counts = activity.counts
        activity.counts = [sum(counts[n : n + 2]) for n in range(0, len(counts), 2)]
        activity.width *= 2
    activity.counts += [0] * (index + 1 - len(activity.counts))
    activity.counts[-1] += events
    activity.until = timestamp(start + len(activity.counts) * activity.width)
