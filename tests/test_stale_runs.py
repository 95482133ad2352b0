"""When a run counts as stale: silent for long, or a promised heartbeat did not come."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from store.state import Task
from webapp.supervisor import is_stale

NOW = datetime(2026, 11, 21, 14, 10, tzinfo=UTC)


def run(**more: object) -> Task:
    at = "2026-11-21T14:00:00.000000Z"
    known = {"status": "running", "updated_at": at}
    return Task(task_id="run", created_at=at, main_span_id="s", **{**known, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("task", "stale"),
    [
        (run(), True),
        (run(updated_at="2026-11-21T14:00:01.000000Z"), False),
        (run(status="waiting"), False),
        (run(status="done"), False),
        (run(stale=True), False),
        (run(heartbeat_interval=30, updated_at="2026-11-21T14:08:59.000000Z"), True),
        (run(heartbeat_interval=30, updated_at="2026-11-21T14:09:01.000000Z"), False),
        (run(heartbeat_interval=0.1, updated_at="2026-11-21T14:09:55.000000Z"), False),
        (run(heartbeat_interval=0.1, updated_at="2026-11-21T14:09:49.000000Z"), True),
    ],
)
def test_a_run_is_stale_after_long_silence_or_without_its_heartbeat(task: Task, stale: bool) -> None:
    assert is_stale(task, NOW, 599.5) is stale
