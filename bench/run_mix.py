"""Events with the mix of a real run: phases, work items with logs and progress, checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

from bench.event import TEXT
from signalbox.store import NewEvent

LOGS_PER_ITEM = 16
ITEMS_PER_CHECKPOINT = 10


def run_events(size: int, logs_per_item: int = LOGS_PER_ITEM) -> list[NewEvent]:
    """Return the first `size` events of a long run."""
    return list(islice(_endless(logs_per_item), size))


def logs(size: int) -> list[NewEvent]:
    """Return `size` log lines."""
    return [NewEvent(event_type="log", payload={"message": f"{TEXT} #{n}", "stream": "stdout"}) for n in range(size)]


def _endless(logs_per_item: int) -> Iterator[NewEvent]:
    yield NewEvent(event_type="runner_spawn", payload={"runner_pid": 4711, "runner_version": "1.0"})
    yield NewEvent(event_type="phase_enter", phase="executing", actor="supervisor", span_id="executing")
    for number in count(1):
        yield from _work_item(number, logs_per_item)
        if number % ITEMS_PER_CHECKPOINT == 0:
            evidence = {"checkpoint_id": f"checkpoint-{number}", "commit_hash": f"{number:040x}"}
            payload = {"checkpoint_id": f"checkpoint-{number}", "evidence_refs": evidence}
            yield NewEvent(event_type="checkpoint_commit", phase="executing", span_id="executing", payload=payload)


def _work_item(number: int, logs: int) -> Iterator[NewEvent]:
    span_id, item = f"item-{number}", {"work_item_id": f"module {number}", "work_type": "parse"}

    def event(event_type: str, **payload: object) -> NewEvent:
        return NewEvent(
            event_type=event_type,
            phase="executing",
            actor="worker",
            span_id=span_id,
            parent_span_id="executing",
            payload=payload,
        )

    yield event("work_item_start", **item)
    for line in range(logs):
        yield event("log", message=f"{TEXT} line {line}", stream="stdout")
    yield event("work_item_progress", **item, progress={"current": number, "total": number + 1, "percentage": 50.0})
    yield event("work_item_complete", **item)
