"""The log as plain text with one line per event, for a browser's own search and for curl."""

from __future__ import annotations

import re

from signalbox.store import Event
from signalbox.webapp.drawing.words import about, actor_of, safe

_LINE_ENDS = re.compile(r"\r\n|[\n\r\x0b\x0c\x85\u2028\u2029]")


def raw_line(event: Event, *, ansi: bool = False) -> str:
    """Return an event as one line: time, seq, phase, actor and text. `ansi` keeps the colours of log lines."""
    if event.event_type == "log" and isinstance(event.payload.get("message"), str):
        mark = "stderr: " if event.payload.get("stream") == "stderr" else ""
        text = mark + _one_line(event.payload["message"], ansi=ansi)
    else:
        text = _one_line(f"{event.event_type} {about(event.payload)}".rstrip())
    head = f"{event.happened_at} #{event.seq} {event.phase or '-'} {actor_of(event)}"
    return f"{_one_line(head)} {text}\n"


def _one_line(text: str, *, ansi: bool = False) -> str:
    if text.isprintable():
        return text
    return safe(_LINE_ENDS.sub(" \u23ce ", text), colours=ansi)
