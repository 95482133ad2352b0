"""The tool that reads a part of a log, as text of a limited size."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

import msgspec
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import Field

from signalbox.store import Event
from signalbox.webapp.mcp.console import Console, RunAddress, run_at
from signalbox.webapp.mcp.reading import Json, TaskIdText
from signalbox.webapp.mcp.values import LogText

DEFAULT_CHARS, MAX_CHARS = 8_000, 20_000
MAX_LINES = 500
PAGE = 200
MAX_PAGES = 25
"""Pages of the log that one call reads, so that a filter that finds little does not read a log of any length."""

HEARTBEAT = "runner_heartbeat"


class EventsPage(msgspec.Struct):
    """A page of the log, as the API returns it."""

    events: list[Event]
    has_more: bool
    next_seq: int


async def read_log(
    console: Console,
    task_id: TaskIdText,
    since_seq: Annotated[int | None, Field(description="Read forward, after this seq.", ge=0)] = None,
    until_seq: Annotated[
        int | None, Field(description="With since_seq or a filter: only up to this seq.", ge=1)
    ] = None,
    before_seq: Annotated[
        int | None, Field(description="Read the newest lines before this seq, without a filter.", ge=1)
    ] = None,
    query: Annotated[str, Field(description="Only events that contain this text.", max_length=256)] = "",
    types: Annotated[
        list[str], Field(description="Only events of these types, such as log or tool_result.", max_length=10)
    ] = [],  # noqa: B006
    span: Annotated[str, Field(description="Only events of the span with this id.", max_length=256)] = "",
    level: Annotated[str, Field(description="Only log events of this level.", max_length=256)] = "",
    stderr: Annotated[bool, Field(description="Only lines of stderr.")] = False,
    failed: Annotated[bool, Field(description="Only failures.")] = False,
    limit: Annotated[int, Field(description="The maximum number of lines.", ge=1, le=MAX_LINES)] = 100,
    max_chars: Annotated[
        int, Field(description="The maximum size of the lines.", ge=500, le=MAX_CHARS)
    ] = DEFAULT_CHARS,
) -> LogText:
    """Read a part of a run's log as text. Without since_seq and filters, it is the end of the log.

    If there is more, the answer has next_since_seq or before_seq to continue with.
    """
    at = run_at(task_id)
    task = await console.get(at.path, Json, identity=at.identity)
    at = RunAddress(at.path, task["identity"])
    filters = {
        "q": query,
        "type": types[0] if len(types) == 1 else "",
        "span": span,
        "level": level,
        "stream": "stderr" if stderr else "",
        "failed": "1" if failed else "",
    }
    part = _Part(console, limit, max_chars)
    is_end = since_seq is None and until_seq is None and not any(filters.values()) and not types
    if before_seq is not None and not is_end:
        raise ToolError("before_seq cannot be combined with since_seq, until_seq or a filter: give since_seq instead")
    if is_end:
        await part.take_newest(at, before_seq)
        return part.text(task, older=True)
    wanted = frozenset(types) if len(types) > 1 else None
    async for event in _forward(console, at, since_seq or 0, filters, part):
        if until_seq is not None and event.seq > until_seq:
            part.continues_after = None
            break
        if (wanted is None or event.event_type in wanted) and (event.event_type != HEARTBEAT or HEARTBEAT in types):
            if not part.add(event):
                break
        else:
            part.continues_after = event.seq
    else:
        part.continues_after = part.continues_after if part.cut_off else None
    return part.text(task, older=False)


class _Part:
    """The lines of one answer, up to its limits."""

    def __init__(self, console: Console, limit: int, max_chars: int) -> None:
        self._console, self._limit, self._left = console, limit, max_chars
        self.lines: list[tuple[int, str]] = []
        self.continues_after: int | None = None
        self.cut_off = False

    def add(self, event: Event) -> bool:
        """Add the line of an event. Return False if there is no room for it."""
        line = self._console.texts.log_line(event)
        # Some characters take more room as JSON.
        size = len(msgspec.json.encode(line).decode())
        if self.lines and (len(self.lines) >= self._limit or size > self._left):
            return False
        self._left -= size
        self.lines.append((event.seq, line))
        self.continues_after = event.seq
        return True

    async def take_newest(self, at: RunAddress, before: int | None) -> None:
        """Add the newest events before `before`, without heartbeats."""
        for _ in range(MAX_PAGES):
            events = await self._console.get(
                f"{at.path}/events/latest", list[Event], limit=PAGE, before=before, identity=at.identity
            )
            for event in events:
                if event.event_type != HEARTBEAT and not self.add(event):
                    return
                before = event.seq
            if not events or before == 1:
                self.continues_after = None
                return
        self.continues_after = before

    def text(self, task: Json, *, older: bool) -> LogText:
        """Return the answer. With `older` the lines were added from the end of the log."""
        lines = sorted(self.lines)
        return LogText(
            task_id=task["task_id"],
            status=task["status"],
            lines=[line for _, line in lines],
            first_seq=lines[0][0] if lines else None,
            last_seq=lines[-1][0] if lines else None,
            latest_seq=task["latest_seq"],
            next_since_seq=None if older else self.continues_after,
            before_seq=self.continues_after if older else None,
        )


async def _forward(console: Console, at: RunAddress, since: int, filters: Json, part: _Part) -> AsyncIterator[Event]:
    """Yield the events after `since` that pass the filters. `part.cut_off` says that there are more than were read."""
    for _ in range(MAX_PAGES):
        page = await console.get(
            f"{at.path}/events", EventsPage, since_seq=since, limit=PAGE, identity=at.identity, **filters
        )
        for event in page.events:
            yield event
        since = page.next_seq
        if not page.has_more:
            return
    part.cut_off, part.continues_after = True, since
