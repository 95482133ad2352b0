"""An event as one line in a terminal."""

from __future__ import annotations

import click

from signalbox.store import Event
from signalbox.store.events import is_claim
from signalbox.webapp.drawing.words import about, actor_of, safe
from signalbox.webapp.views.text import day_name

COLOURS = {
    "work_item_failed": "red",
    "checkpoint_invalid": "red",
    "permission_request": "magenta",
    "cancel_requested": "yellow",
    "recovery_initiated": "yellow",
    "checkpoint_verified": "green",
    "recovery_complete": "green",
}


def day_line(day: str, *, colours: bool) -> str:
    """Return the line above the first event of a day other than today: `── Tuesday 24 November 2026, UTC`."""
    line = f"── {day_name(safe(day, colours=False))}, UTC"
    return click.style(line, bold=True) if colours else line


def line_of(event: Event, *, colours: bool) -> str:
    """Return an event as one line: `14:02:07.123  #1519 executing worker work_item_start ast.py`. Times are in UTC."""
    time = event.happened_at[11:23]
    where = f"{event.phase or '·':<10} {actor_of(event):<10}"
    if event.event_type == "log":
        text = safe(str(event.payload.get("message", "")), colours=colours)
        mark = "!" if event.payload.get("stream") == "stderr" else "│"
        body = f"{mark} {text}"
    else:
        claim = "claims " if is_claim(event) else ""
        body = f"{claim}{event.event_type} {about(event.payload)}".rstrip()
        body = safe(body, colours=False)
    head = f"{time} {f'#{event.seq}':>6} {safe(where, colours=False)}"
    if not colours:
        return f"{head} {body}"
    if event.event_type != "log":
        body = click.style(body, fg=colour_of(event), bold=event.event_type.startswith("runner_"))
    return f"{click.style(head, dim=True)} {body}"


def colour_of(event: Event) -> str | None:
    """Return the terminal colour of an event, or None for an ordinary one."""
    if event.event_type == "runner_exit":
        return "red" if event.payload.get("exit_code") else "green"
    return COLOURS.get(event.event_type)
