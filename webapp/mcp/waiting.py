"""The tool that waits for runs. It reports progress, so that clients know that it still waits."""

from __future__ import annotations

import time
from typing import Annotated, Literal

from pydantic import Field

from signalbox.webapp.mcp.console import Console
from signalbox.webapp.mcp.reading import Json, TaskIdText, run_row
from signalbox.webapp.mcp.values import WaitOutcome

DEFAULT_S, MAX_S = 50, 600
"""Seconds to wait. Many clients give up on a tool after 60 seconds."""

REPORT_S = 2.0
"""Seconds between two reports of progress."""

MAX_WAIT_RUNS = 20


async def wait_for_runs(
    console: Console,
    task_ids: Annotated[list[TaskIdText], Field(min_length=1, max_length=MAX_WAIT_RUNS)],
    until: Annotated[
        Literal["end", "permission", "event"],
        Field(description="Wait for the end, for a permission request, or for a new event. The end always counts."),
    ] = "end",
    all: Annotated[bool, Field(description="Wait for all of the runs; by default one is enough.")] = False,
    since: Annotated[
        int | None, Field(description="For events: `next` of the previous answer, so that none is missed.", ge=0)
    ] = None,
    timeout: Annotated[float, Field(description="The maximum time to wait, in seconds.", ge=0, le=MAX_S)] = DEFAULT_S,
) -> WaitOutcome:
    """Wait for runs instead of reading them again and again. After the timeout, call it again to wait longer."""
    started = time.monotonic()
    while True:
        passed = time.monotonic() - started
        found = await console.get(
            "/api/wait",
            Json,
            task=task_ids,
            until=until,
            all="1" if all else None,
            since_event_id=since,
            timeout=max(0.0, min(REPORT_S, timeout - passed)),
        )
        since = found["next_event_id"]
        passed = time.monotonic() - started
        if not found["timed_out"] or passed >= timeout:
            return WaitOutcome(
                reached=found["reached"],
                timed_out=found["timed_out"],
                runs=[run_row(task, console.texts) for task in found["tasks"]],
                next=since,
            )
        await console.report_progress(passed, timeout, _in_words(found["tasks"]))


def _in_words(tasks: list[Json]) -> str:
    rows = [f"{task['task_id']} {task['status']}" + (f" · {task['phase']}" if task["phase"] else "") for task in tasks]
    return ", ".join(rows[:5]) + (f" and {len(rows) - 5} more" if len(rows) > 5 else "")
