"""The projection of the title, which a program may learn only after it has created the task."""

from __future__ import annotations

from signalbox.store.errors import InvalidEvent
from signalbox.store.events import MAX_TITLE_CHARS, Event, check_text
from signalbox.store.state import Span, TaskState


def title_changed(state: TaskState, event: Event, span: Span | None) -> None:
    title = readable_title(event.payload.get("title"))
    if title is not None:
        state.task.title, state.task.labels_seq = title, event.seq
        if state.task.trace is not None:
            state.task.trace.titled = False


def readable_title(value: object) -> str | None:
    """Return a text as a title: on one line, and cut to the maximum. None if it is no text or has other characters."""
    if not isinstance(value, str):
        return None
    line = " ".join(value[: 4 * MAX_TITLE_CHARS].split())
    title = line if len(line) <= MAX_TITLE_CHARS else f"{line[: MAX_TITLE_CHARS - 1]}…"
    try:
        check_text(title, "title", limit=MAX_TITLE_CHARS)
    except InvalidEvent:
        return None
    return title
