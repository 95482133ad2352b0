"""The projection of CPU and memory: what the heartbeats of a run report about its processes.

The lines have one value for each bucket of time, the largest that was reported in it. When a run needs more than 60
buckets, pairs are merged and the width doubles, so a long run has 30 to 60 buckets.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from signalbox.store.events import Event
from signalbox.store.projections.payload import number
from signalbox.store.state import Resources, Span, TaskState
from signalbox.store.times import epoch_seconds

BUCKETS = 60
FIRST_WIDTH = 5.0
"""The initial width of a bucket in seconds."""


class Sample(NamedTuple):
    """CPU in per cent of one core, memory in bytes, and the number of processes."""

    cpu: float
    memory: float
    processes: float


def report(state: TaskState, event: Event, span: Span) -> None:
    """Add the `resources` in the payload of a heartbeat to its span."""
    sample = _sample(event.payload.get("resources"))
    if sample is None:
        return
    span.resources = added(span.resources, event.happened_at, sample)
    span.changed_seq = event.seq
    state.task.resources_seq, state.task.resources_span = event.seq, span.span_id


def added(before: Resources | None, at: str, sample: Sample) -> Resources:
    """Return the resources with one more sample. A sample from before the last bucket counts in the last one."""
    found = before or Resources(since=at, width=FIRST_WIDTH)
    found.cpu, found.memory, found.processes = sample.cpu, int(sample.memory), int(sample.processes)
    found.max_cpu, found.max_memory = max(found.max_cpu, sample.cpu), max(found.max_memory, int(sample.memory))
    try:
        elapsed = max(0.0, epoch_seconds(at) - epoch_seconds(found.since))
    except (ValueError, TypeError):
        elapsed = 0.0
    while (index := int(elapsed / found.width)) >= BUCKETS:
        found.cpu_line, found.memory_line = _halved(found.cpu_line), _halved(found.memory_line)
        found.width *= 2
    _put(found.cpu_line, index, round(sample.cpu))
    _put(found.memory_line, index, round(sample.memory / 1000))
    return found


def _put(line: list[int], index: int, value: int) -> None:
    """Set the value of a bucket, if it is larger. Buckets without a report keep the value before them."""
    if len(line) > index:
        line[-1] = max(line[-1], value)
        return
    line.extend([line[-1] if line else value] * (index - len(line)))
    line.append(value)


def _halved(line: list[int]) -> list[int]:
    return [max(line[n : n + 2]) for n in range(0, len(line), 2)]


def _sample(given: Any) -> Sample | None:
    if not isinstance(given, dict):
        return None
    cpu, memory, processes = (number(given.get(name)) for name in ("cpu", "memory", "processes"))
    if cpu is None or memory is None or cpu < 0 or memory < 0:
        return None
    return Sample(round(cpu, 1), memory, max(0.0, processes or 0.0))
