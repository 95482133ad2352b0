"""Why a run failed: its error, the span or command that failed first, and the last lines of its output.

The number of rows that are read is bounded, so that a log of any length takes the same time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from signalbox.store import Event, TaskReading
from signalbox.store.diagnosis.cause import (
    DIAGNOSED,
    MAX_CLOSED_SPANS,
    MAX_FAILURES,
    TAIL_ROWS,
    Cause,
    cause_of,
    failing_span,
)
from signalbox.store.group_ends import is_group_end
from signalbox.store.state import Span, Task
from signalbox.store.terminal_escapes import plain
from signalbox.webapp.views.span import ancestors
from signalbox.webapp.views.text import short_rules

OUTPUT_LINES = 15
"""Lines of output, and of a traceback in the last event."""

MAX_ERROR_CHARS = 16_000
"""Characters of an error that a page shows."""

MAX_HEADLINE_CHARS = 300

STDERR_SEQS = 2000
"""Seqs before the end in which lines of stderr are sought."""


class LastLine(NamedTuple):
    """A line of output with its escape sequences, and the seq of its event."""

    seq: int
    text: str
    stderr: bool


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why a run failed. `path` has the ancestors of the failing span, the outermost first, without the run's own span.

    `output` has the last lines of output, those of stderr first. `traceback` has the last lines of the traceback that
    the run reported when it ended.
    """

    cause: Cause
    path: list[Span] = field(default_factory=list)
    output: list[LastLine] = field(default_factory=list)
    traceback: list[str] = field(default_factory=list)

    @property
    def spans(self) -> list[Span]:
        """The failing span below its ancestors; empty if the run itself failed."""
        return [*self.path, self.cause.span] if self.cause.span else []

    @property
    def blocks(self) -> list[tuple[str, str]]:
        """The traceback and the output as texts with escape sequences, each with a name."""
        errors = "\n".join(line.text for line in self.output if line.stderr)
        others = "\n".join(line.text for line in self.output if not line.stderr)
        named = [("traceback", "\n".join(self.traceback)), ("stderr", errors), ("output", others)]
        return [(name, short_rules(text)) for name, text in named if text.strip()]

    @property
    def headline(self) -> str:
        """The line that says most: of a command, the error of its last traceback, or its last line of output."""
        cause = self.cause
        output = "" if cause.span else cause.evidence.error or (self._last_line.text if cause.command else "")
        lines = plain(output or cause.error).strip().splitlines() or ["No reason was given"]
        return lines[0][:MAX_HEADLINE_CHARS]

    @property
    def rest(self) -> str:
        """The error without the headline, at most MAX_ERROR_CHARS of it."""
        error = self.cause.error.strip()
        rest = error.removeprefix(self.headline).lstrip("\n")
        return rest if len(rest) <= MAX_ERROR_CHARS else f"{rest[:MAX_ERROR_CHARS]}…"

    @property
    def _last_line(self) -> LastLine:
        """The last line of stderr, or else of the other output."""
        spoken = [line for line in self.output if line.text.strip() and not is_group_end(line.text)]
        errors = [line for line in spoken if line.stderr]
        return (errors or spoken or [LastLine(0, "", False)])[-1]

    @property
    def names_another_error(self) -> bool:
        """Whether the last traceback has an error that is neither the headline nor the message of a failed test."""
        found = self.cause.evidence
        known = any(
            found.error in test.message or test.message in found.error for test in found.failed_tests if test.message
        )
        return bool(found.error and found.tests) and not known

    @property
    def seq(self) -> int:
        """The seq of the event to look at first: a line of output for a command, else the event of the failing span."""
        cause = self.cause
        if cause.span is not None:
            return cause.failed_seq
        return cause.evidence.first_seq or (self._last_line.seq if cause.command else 0) or cause.failed_seq


async def failure_of(view: TaskReading, task: Task) -> Failure | None:
    """Read why a run failed or was interrupted. Returns None for any other run."""
    if task.status not in DIAGNOSED or not task.ended_seq:
        return None
    task_id, end = task.task_id, task.ended_seq
    known = {event.seq: event for event in await view.events_at(task_id, [task.spawn_seq, end])}
    rows = await view.brief().rows_before(task_id, end + 1, TAIL_ROWS)
    cause = cause_of(
        task, failing=await _failing(view, task), end=known.get(end), spawn=known.get(task.spawn_seq), rows=rows
    )
    above = await ancestors(view, cause.span, task_id) if cause.span else []
    return Failure(
        cause=cause,
        path=[span for span in above if span.kind != "run"],
        output=await _output(view, task, rows),
        traceback=_traceback(known.get(end)),
    )


async def _failing(view: TaskReading, task: Task) -> tuple[Span | None, Event | None]:
    closed = await view.spans_closed_at(task.task_id, task.ended_seq, MAX_CLOSED_SPANS)
    failures = await view.brief().failures(task.task_id, 0, MAX_FAILURES)
    spans: dict[str, Span] = {}
    for event in failures:
        if event.seq <= task.ended_seq and event.span_id not in spans:
            span = await view.span(task.task_id, event.span_id)
            if span is None:
                continue
            spans[span.span_id] = span
            if span.kind != "run" and span.state == "failed":
                break
    return failing_span(task, [event for event in failures if event.seq <= task.ended_seq], spans, closed)


async def _output(view: TaskReading, task: Task, rows: Sequence[Event]) -> list[LastLine]:
    errors, others = _last_lines(rows)
    oldest = rows[0].seq if rows else 0
    if len(errors) < OUTPUT_LINES and oldest > 1:
        since = max(0, task.ended_seq - STDERR_SEQS)
        missing = OUTPUT_LINES - len(errors)
        earlier, _ = _last_lines(await view.brief().error_output(task.task_id, oldest, missing, since))
        errors = [*earlier, *errors]
    shown = errors[-OUTPUT_LINES:]
    return [*shown, *others[max(0, len(others) - OUTPUT_LINES + len(shown)) :]]


def _last_lines(events: Sequence[Event]) -> tuple[list[LastLine], list[LastLine]]:
    """Return the last OUTPUT_LINES lines of stderr and of other output, without empty lines at the end of a message.

    The events are read from the end, so that few of them are examined.
    """
    errors: list[LastLine] = []
    others: list[LastLine] = []
    for event in reversed(events):
        message = event.payload.get("message") if event.event_type == "log" else None
        if isinstance(message, str):
            stderr = event.payload.get("stream") == "stderr"
            found = errors if stderr else others
            if len(found) < OUTPUT_LINES:
                texts = message.rstrip("\n").split("\n")[-OUTPUT_LINES:]
                found += [LastLine(event.seq, text.rstrip("\r"), stderr) for text in reversed(texts)]
    return errors[:OUTPUT_LINES][::-1], others[:OUTPUT_LINES][::-1]


def _traceback(end: Event | None) -> list[str]:
    trace = end.payload.get("traceback") if end is not None else None
    return trace.rstrip("\n").split("\n")[-OUTPUT_LINES:] if isinstance(trace, str) else []
