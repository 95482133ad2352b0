"""Generate runs for browser tests from a seed: realistic events in a realistic order."""

from __future__ import annotations

import random
from collections.abc import Iterator

from msgspec import structs

from signalbox.store import NewEvent


def run(seed: int, length: int) -> Iterator[NewEvent]:
    """Return a run of about `length` events: phases, nested and retried work items, checkpoints, permissions."""
    rng = random.Random(seed)
    yield NewEvent(event_type="runner_spawn", span_id="main", payload={"runner_pid": 1, "runner_version": "1.0"})
    count, open_requests = 1, set[str]()
    for number, phase in enumerate(("planning", "executing", "verifying")):
        span = f"phase-{number}"
        yield NewEvent(event_type="phase_enter", phase=phase, span_id=span, parent_span_id="main")
        open_items: list[str] = []
        while count < length * (number + 1) / 3:
            count += 1
            event = _step(rng, phase, span, open_items, count)
            if event.event_type == "permission_request":
                open_requests.add(str(event.payload["request_id"]))
            if event.event_type == "permission_cleared":
                open_requests.discard(str(event.payload["request_id"]))
            if event.event_type == "log" and count % 5 == 0:
                # Some lines are reported late.
                event = structs.replace(event, occurred_at=f"2020-01-01T00:00:{count % 60:02}Z")
            yield event
        for item in open_items:
            yield NewEvent(event_type="work_item_complete", actor="worker", phase=phase, span_id=item)
        yield NewEvent(event_type="phase_exit", phase=phase, span_id=span)
    # Close open requests here: otherwise the server closes them, at a time that no seed determines.
    for request_id in sorted(open_requests):
        answer = {"request_id": request_id, "approved": rng.random() < 0.5, "by": "ada"}
        # Only the server stores answers. An answer from a run is only a claim, so the run withdraws its request.
        yield NewEvent(event_type="permission_response", actor="user", span_id="main", payload=answer)
        withdrawn = {"request_id": request_id, "cause": "withdrawn"}
        yield NewEvent(event_type="permission_cleared", span_id="main", payload=withdrawn)
    yield NewEvent(event_type="runner_exit", span_id="main", payload={"exit_code": 0})


def _step(rng: random.Random, phase: str, span: str, open_items: list[str], count: int) -> NewEvent:
    kind = rng.random()
    item = rng.choice(open_items) if open_items else None

    def of_item(event_type: str, **payload: object) -> NewEvent:
        return NewEvent(event_type=event_type, actor="worker", phase=phase, span_id=item, payload=payload)

    if kind < 0.08 or item is None:
        name = f"{phase}-{count}"
        open_items.append(name)
        parent = rng.choice([span, *open_items[:-1]])
        return NewEvent(
            event_type="work_item_start",
            actor="worker",
            phase=phase,
            span_id=name,
            parent_span_id=parent,
            payload={"work_item_id": f"item {count} <b>&", "work_type": "file"},
        )
    if kind < 0.12:
        open_items.remove(item)
        return of_item("work_item_complete")
    if kind < 0.14:
        return of_item("work_item_failed", error_code="broken", message="could not be read")
    if kind < 0.16:
        return of_item("work_item_start", work_item_id="again")
    if kind < 0.3:
        return of_item("work_item_progress", progress={"current": count % 7, "total": 7}, message=f"step {count}")
    if kind < 0.33:
        return of_item("checkpoint_commit", checkpoint_id=f"c{count}", evidence_refs={"artifacts": [f"{count}.json"]})
    if kind < 0.36:
        return of_item("checkpoint_verified", checkpoint_id=f"c{count - 10}")
    if kind < 0.38:
        return of_item("permission_request", request_id=f"r{count}", tool_name="rm", arguments={"path": f"/x/{count}"})
    if kind < 0.4:
        return of_item("permission_cleared", request_id=f"r{count - 20}")
    if kind < 0.42:
        return of_item("progress_update", message="nothing to see")
    if kind < 0.44:
        return of_item("some_own_event", nested={"list": [1, 2, {"deep": "x" * 400}]})
    text = f"\x1b[3{count % 8}mline {count}\x1b[0m of a log <script>alert({count})</script>"
    stream = "stderr" if count % 9 == 0 else "stdout"
    return of_item("log", message=text, stream=stream)
