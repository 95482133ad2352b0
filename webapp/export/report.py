"""One run as one HTML file for people outside: what happened, with nothing that needs this server."""

from __future__ import annotations

from dataclasses import dataclass

from store import Event, Reading
from store.state import Checkpoint, Permission, Phase, Task
from webapp.export.redaction import Redaction
from webapp.spantree import SpanLine, lines

REPORT_EVENTS = 5000
REPORT_SPANS = 1000
REPORT_CHECKPOINTS = 1000


@dataclass(frozen=True, kw_only=True)
class Report:
    """A run, redacted: the newest events of its log, and all of the rest up to the limits above."""

    task: Task
    phases: list[Phase]
    lines: list[SpanLine]
    checkpoints: list[Checkpoint]
    permissions: list[Permission]
    events: list[Event]


async def report(view: Reading, task_id: str, redaction: Redaction) -> Report:
    """What the file shows, in one consistent read. Raises UnknownTask."""
    hide = redaction.struct
    task = await view.task(task_id)
    return Report(
        task=hide(task),
        phases=await view.phases(task_id),
        lines=lines([hide(span) for span in await view.spans(task_id, 0, REPORT_SPANS)]),
        checkpoints=[hide(one) for one in await view.checkpoints(task_id, REPORT_CHECKPOINTS)],
        permissions=[hide(one) for one in await view.permissions(task_id, open_only=False)],
        events=[redaction.event(event) for event in (await view.latest_events(task_id, REPORT_EVENTS))[::-1]],
    )
