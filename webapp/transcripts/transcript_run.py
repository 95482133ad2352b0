"""The run that a transcript becomes, while it is read."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from signalbox.store import InvalidEvent, NewEvent
from signalbox.store.emitter.fit_payload import fitting
from signalbox.store.projections.title import readable_title
from signalbox.store.times import checked_time, now
from signalbox.webapp.transcripts.lines import Line, Lines

SESSION = "session"
"""The main span of a run."""


@dataclass
class TranscriptRun:
    """A run with its events, each with the time at which it happened.

    `left_out` counts the lines that only keep the agent's own books. `place` is the number of the line that is being
    read, by which events of the same time are ordered.
    """

    agent: str
    session_id: str
    title: str | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    left_out: int = 0
    place: float = 0
    _events: list[tuple[str, float, NewEvent]] = field(default_factory=list)
    _keys: dict[str, int] = field(default_factory=dict)

    @property
    def task_id(self) -> str:
        """The id of the task: the agent and the session, as for a session that reports through hooks."""
        return f"{self.agent}-{self.session_id}"

    def name_after(self, prompt: str) -> None:
        """Take the title from a prompt, unless there is one."""
        self.title = self.title or readable_title(prompt)

    def add(
        self,
        event_type: str,
        at: str,
        payload: dict[str, Any],
        *,
        key: str,
        span: str = SESSION,
        parent: str | None = None,
        place: float | None = None,
    ) -> None:
        """Add an event. `key` is unique in the transcript, or gets a number."""
        number = self._keys[key] = self._keys.get(key, 0) + 1
        event = NewEvent(
            event_type=event_type,
            span_id=span,
            parent_span_id=parent if parent != span else None,
            payload={name: value for name, value in payload.items() if value not in (None, "")},
            key=key if number == 1 else f"{key}:{number}",
            occurred_at=at,
        )
        self._events.append((at, self.place if place is None else place, event))

    def report_damage(self, lines: Lines) -> None:
        """Add a line of the log for each line of the transcript that cannot be read."""
        clock = Clock(lines.found)
        for number, fault, after in lines.damaged:
            said = {"message": f"line {number} of the transcript cannot be read: {fault}", "level": "warning"}
            self.add("log", clock.read(after), said, key=f"damaged:{number}:{fault}"[:200])

    def events(self) -> list[NewEvent]:
        """Return all events in the order of their times, from the start of the run to its end. Raises InvalidEvent."""
        ordered = [event for _, _, event in sorted(self._events, key=lambda timed: timed[:2])]
        if not ordered:
            raise InvalidEvent(f"the session {self.session_id} has no line that tells something")
        begin = NewEvent(
            event_type="runner_spawn",
            span_id=SESSION,
            payload={name: value for name, value in self.metadata.items() if value} | {"agent": self.agent},
            key="begin",
            occurred_at=ordered[0].occurred_at,
        )
        end = NewEvent(
            event_type="runner_exit",
            span_id=SESSION,
            payload={"exit_code": 0},
            key=f"end after {ordered[-1].key}",
            occurred_at=ordered[-1].occurred_at,
        )
        return [fitting(event) for event in (begin, *ordered, end)]


class Clock:
    """Reads the times of lines. A line without a valid time has that of the line before it.

    The first ones have the first time of all `lines`, and the present time if there is none.
    """

    def __init__(self, lines: Iterable[Line] = ()) -> None:
        self.at = ""
        for line in lines:
            if self.read(line.fields.get("timestamp")):
                break
        self.at = self.at or now()

    def read(self, text: object) -> str:
        """Return the time of a line."""
        with suppress(InvalidEvent):
            self.at = checked_time(text, "timestamp")
        return self.at
