"""When a run counts as stale: after a long silence, or when its heartbeats stop."""

from __future__ import annotations

import pytest

from signalbox.store.state import Task
from signalbox.webapp.acts.supervisor import is_stale


def run(**fields: object) -> Task:
    at = "2026-11-21T14:00:00.000000Z"
    known = {"status": "running", "updated_at": at}
    return Task(task_id="run", created_at=at, main_span_id="s", **{**known, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task", "silence", "stale"),
    [
        (run(), 600, True),
        (run(), 599, False),
        (run(status="waiting"), 600, False),
        (run(status="done"), 600, False),
        (run(stale=True), 600, False),
        (run(heartbeat_interval=30), 61, True),
        (run(heartbeat_interval=30), 59, False),
        (run(heartbeat_interval=0.1), 5, False),
        (run(heartbeat_interval=0.1), 11, True),
    ],
)
def test_a_run_is_stale_after_a_long_silence_or_missed_heartbeats(task: Task, silence: float, stale: bool) -> None:
    assert is_stale(task, silence, 599.5) is stale
