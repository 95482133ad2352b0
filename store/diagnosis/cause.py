"""The cause of a failure: the span or command that failed first, its error, and the evidence in the output.

The append that ends a run finds the cause in the database, and a page finds it in a view, with the same rules.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from signalbox.store.diagnosis.evidence import Evidence, LogLine, evidence_in
from signalbox.store.diagnosis.fingerprint import fingerprint
from signalbox.store.events import Event
from signalbox.store.group_ends import is_group_end
from signalbox.store.state import Span, Task
from signalbox.store.terminal_escapes import plain

DIAGNOSED = ("failed", "interrupted")
"""The statuses of the runs that are diagnosed."""

MAX_FAILURES = 50
"""Failures in which the first failing span is sought."""

MAX_CLOSED_SPANS = 200
"""Spans that were open at the end and are examined."""

TAIL_ROWS = 300
"""The newest rows before the end in which evidence is sought."""

LINES_OF_EVENT = 100
"""Lines of one message that are examined, the last ones: a program may log a whole traceback at once."""

EVIDENCE_CHARS = 128 * 1024
"""About how many characters of these rows are examined, the last ones: the append that ends a run waits for it."""

_TYPE_NAME = re.compile(r"(?:[A-Za-z_][\w.$]*[.$])?[A-Z]\w*")


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run failed.

    `span` is the span that failed first, or None if it is the run itself. `failed_seq` is the seq of the event that
    says so. `command` is the command line of `signalbox run`, or empty. `error` is the whole error.
    `last_line` is the last line of stderr, or else of the other output.
    """

    span: Span | None
    failed_seq: int
    command: str
    error: str
    evidence: Evidence
    last_line: str = ""

    def fingerprint(self, kind: str | None) -> str:
        """Return the fingerprint of the failure of a run of this kind.

        The error of a command is mostly its exit code, so the evidence in its output belongs to it.
        """
        if self.span is not None:
            return fingerprint(f"{self.span.kind} {self.span.name}", self.error)
        found = self.evidence
        tests = [f"{test.name} {test.message}" for test in found.failed_tests]
        said = [*tests, found.error] if tests or found.error else [self.last_line]
        if not self.command:
            return fingerprint(f"run {kind or ''}", self.error or "\n".join(said))
        return fingerprint(self.command, "\n".join([self.error, *said]))


def failing_span(
    task: Task, failures: Iterable[Event], spans: Mapping[str, Span], closed: Sequence[Span]
) -> tuple[Span | None, Event | None]:
    """Return the span that failed first, and the event that says so, if there is one.

    `failures` are the first failures in the log, `spans` has the spans that they name, and `closed` are the spans that
    the end of the run closed. If a run was interrupted, the innermost span that was open counts.
    """
    above = {span.parent_span_id for span in closed}
    innermost = [span for span in closed if span.kind != "run" and span.span_id not in above]
    last_opened = max(innermost, key=lambda span: span.started_seq, default=None)
    if task.status == "interrupted" and last_opened is not None:
        return last_opened, None
    for event in failures:
        span = spans.get(event.span_id)
        if span is not None and span.kind != "run" and span.state == "failed":
            return span, event
    return last_opened, None


def error_of(payload: Mapping[str, Any]) -> str:
    """Return the whole error in a payload: its message, with the type of the exception before it."""
    message = next((text for name in ("message", "explanation") if (text := _text(payload.get(name)))), "")
    code = _text(payload.get("error_code"))
    if code and (not message or (_TYPE_NAME.fullmatch(code) and code not in message)):
        return f"{code}: {message}" if message else code
    return message


def _text(value: object) -> str:
    return value if isinstance(value, str) else str(value) if isinstance(value, int) and value else ""


def command_in(spawn: Event | None) -> str:
    """Return the command line that `signalbox run` started, or an empty text."""
    command = spawn.payload.get("command") if spawn is not None and spawn.event_type == "runner_spawn" else None
    if isinstance(command, list) and command and all(isinstance(word, str) for word in command):
        return shlex.join(command)
    return ""


def lines_of(event: Event) -> list[LogLine]:
    """Return the lines of a log event without escape sequences; none for other events."""
    message = event.payload.get("message") if event.event_type == "log" else None
    if not isinstance(message, str):
        return []
    stderr = event.payload.get("stream") == "stderr"
    if "\n" not in message:
        return [LogLine(event.seq, plain(message), stderr)]
    texts = plain(message).split("\n")[-LINES_OF_EVENT:]
    return [LogLine(event.seq, text.rstrip("\r"), stderr) for text in texts]


def _last_lines(rows: Sequence[Event]) -> list[LogLine]:
    """Return the lines of the newest rows, of `EVIDENCE_CHARS` or of one row."""
    found: list[list[LogLine]] = []
    chars = 0
    for event in reversed(rows):
        lines = lines_of(event)
        chars += sum(len(line.text) for line in lines)
        if found and chars > EVIDENCE_CHARS:
            break
        found.append(lines)
    return [line for lines in reversed(found) for line in lines]


def cause_of(
    task: Task,
    *,
    failing: tuple[Span | None, Event | None],
    end: Event | None,
    spawn: Event | None,
    rows: Sequence[Event],
) -> Cause:
    """Return the cause of the failure of a run that ended with the event `end`.

    `failing` is the result of `failing_span`, and `rows` are the newest rows before the end.
    """
    span, failure = failing
    lines = _last_lines(rows)
    spoken = [line for line in lines if line.text.strip() and not is_group_end(line.text)]
    last = next((line for line in reversed(spoken) if line.stderr), spoken[-1] if spoken else None)
    own = error_of(failure.payload) if failure is not None and failure.event_type != "log" else ""
    return Cause(
        span=span,
        failed_seq=failure.seq if failure is not None else task.ended_seq,
        command=command_in(spawn),
        error=own or (span.error if span is not None and span.error else "") or _error_at_end(task, end),
        evidence=evidence_in(lines),
        last_line=last.text if last is not None else "",
    )


def _error_at_end(task: Task, end: Event | None) -> str:
    return (error_of(end.payload) if end is not None else "") or task.error or ""
