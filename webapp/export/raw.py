"""The log as plain text with one line per event, for a browser's own search and for curl.

A full log has further lines, which are indented: the values of each event that its line leaves out.
"""

from __future__ import annotations

import re

import msgspec

from signalbox.store import Event
from signalbox.webapp.drawing.log_rows import FOR_RETRIES
from signalbox.webapp.drawing.words import about, actor_of, safe, shown_keys

_INDENT = "    "
_OUTPUT_KEYS = ("message", "stream", "level", "at")
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


def raw_details(event: Event, *, ansi: bool = False) -> str:
    """Return the values that the line of an event leaves out, such as arguments and results, on lines of their own."""
    payload = event.payload
    is_output = event.event_type == "log" and isinstance(payload.get("message"), str)
    shown = _OUTPUT_KEYS if is_output else shown_keys(payload)
    if not shown:
        return ""  # The line has the whole payload.
    out = []
    for name, value in payload.items():
        if name not in shown and name not in FOR_RETRIES:
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            lines = [safe(line, colours=ansi) for line in _LINE_ENDS.split(text)]
            label = f"{_INDENT}{_one_line(name)}:"
            out += [f"{label} {lines[0]}"] if len(lines) == 1 else [label, *(f"{2 * _INDENT}{line}" for line in lines)]
    return "".join(f"{line}\n" for line in out)


def _one_line(text: str, *, ansi: bool = False) -> str:
    if text.isprintable():
        return text
    return safe(_LINE_ENDS.sub(" \u23ce ", text), colours=ansi)
