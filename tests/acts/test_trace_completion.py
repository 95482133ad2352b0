"""Test when a trace is complete."""

from __future__ import annotations

import pytest

from signalbox.store.state import Task, Trace
from signalbox.store.traces.tasks import METADATA_KEY
from signalbox.webapp.acts.trace_completion import TraceCompletion

COMPLETION = TraceCompletion(quiet=10, timeout=300)


def waits(trace: Trace | None, **fields: object) -> float | None:
    """Return the seconds of silence that complete such a task, or None if none do."""
    given = {"task_id": "t", "status": "running", "created_at": "", "updated_at": "", "main_span_id": "m", **fields}
    task = Task(trace=trace, **given)  # type: ignore[arg-type]
    return next((at for at in (9.9, 10, 299.9, 300, 10**9) if COMPLETION.event(task, at)), None)


@pytest.mark.parametrize(
    ("trace", "fields", "seconds"),
    [
        (Trace(has_root=True), {}, 10),
        (Trace(has_root=True), {"spans_open": 1}, 10),
        (Trace(has_root=True, open_roots=1), {"spans_open": 1}, None),
        (Trace(), {}, 300),
        (Trace(), {"spans_open": 1}, None),
        (None, {"metadata": {METADATA_KEY: {}}}, 300),
        (None, {}, None),
        (Trace(has_root=True), {"spawn_seq": 1}, None),
        (Trace(has_root=True), {"status": "done"}, None),
        (Trace(has_root=True), {"status": "waiting"}, None),
    ],
)
def test_a_trace_is_complete_after_its_silence(trace: Trace | None, fields: dict[str, object], seconds: float) -> None:
    assert waits(trace, **fields) == seconds
