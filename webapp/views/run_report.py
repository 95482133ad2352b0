"""One run as one HTML file that does not need this server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeVar

import msgspec

from signalbox.store import Event, Reading
from signalbox.store.bounded_reads import payload_bytes
from signalbox.store.chain.heads import SignedHead
from signalbox.store.chain.verification import Claims
from signalbox.store.redaction.rules import Redaction
from signalbox.store.state import Artifact, Checkpoint, Permission, Phase, SentMessage, Span, Task
from signalbox.webapp.views.cancellation import Cancellation, cancellation_of
from signalbox.webapp.views.failure import Failure, failure_of
from signalbox.webapp.views.heads import all_heads
from signalbox.webapp.views.labels import HeaderLabels, labels_of
from signalbox.webapp.views.retries import Retry, origin_of
from signalbox.webapp.views.span_tree import SpanLine, lines

REPORT_EVENTS = 5000
REPORT_SPANS = 1000
REPORT_CHECKPOINTS = 1000
REPORT_PERMISSIONS = 1000
REPORT_MESSAGES = 200
REPORT_ARTIFACTS = 1000
REPORT_BYTES = 4 * 1024 * 1024
STORED_BYTES = 64 * 1024 * 1024
"""Bytes of the events with their whole payloads, which are read to shorten them."""

EVENTS_AT_ONCE = 250
PART_BYTES = 16 * 1024 * 1024
"""Bytes of the stored checkpoints, and of the permission requests, that are read."""

READ_AT_ONCE = 50
"""Checkpoints or permission requests of one query. Each may have 256 KB."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Report:
    """A run with its newest events, and with its other parts, such as spans and messages, up to the limits above.

    `more_permissions` says that the run has others besides `permissions`, which are without the parts of the requests
    that the file does not show. `claims` has the newest link of the log, and `head` is its newest signed head.
    """

    task: Task
    phases: list[Phase]
    spans: list[Span]
    checkpoints: list[Checkpoint]
    permissions: list[Permission]
    more_permissions: bool
    messages: list[SentMessage]
    artifacts: list[Artifact]
    claims: Claims
    head: SignedHead | None
    events: list[Event]
    failure: Failure | None = None
    cancellation: Cancellation | None = None

    @property
    def first_seq(self) -> int:
        """The oldest event in the file."""
        return self.events[0].seq if self.events else 1

    @property
    def lines(self) -> list[SpanLine]:
        """The spans as a tree."""
        return lines(self.spans)

    @property
    def labels(self) -> HeaderLabels:
        """The tags, the links and the other metadata."""
        return labels_of(self.task)

    @property
    def origin(self) -> Retry | None:
        """The run of which this one is a retry."""
        return origin_of(self.task)


async def run_report(view: Reading, task_id: str) -> Report:
    """Read a run in one consistent view. Raises UnknownTask."""
    task = await view.task(task_id)
    heads = await all_heads(view, task_id)
    permissions, more = await _permissions(view, task_id)
    return Report(
        task=task,
        phases=await view.phases(task_id),
        spans=await view.spans(task_id, 0, REPORT_SPANS),
        checkpoints=await _checkpoints(view, task_id),
        permissions=permissions,
        more_permissions=more,
        messages=await view.latest_messages(task_id, REPORT_MESSAGES),
        artifacts=await view.artifacts(task_id, REPORT_ARTIFACTS),
        claims=await view.log_claims(task_id),
        head=heads[-1] if heads else None,
        failure=await failure_of(view, task),
        cancellation=await cancellation_of(view, task),
        events=await _events(view, task_id, task.latest_seq),
    )


async def _checkpoints(view: Reading, task_id: str) -> list[Checkpoint]:
    """Return the newest checkpoints in the order of their commits."""

    async def before(one: Checkpoint | None, limit: int) -> list[Checkpoint]:
        return (await view.checkpoints(task_id, limit, before=one.seq if one else None))[::-1]

    return (await _first(before, REPORT_CHECKPOINTS, lambda one: one))[0][::-1]


async def _permissions(view: Reading, task_id: str) -> tuple[list[Permission], bool]:
    """Return the first permission requests, and whether there are more."""

    async def after(one: Permission | None, limit: int) -> list[Permission]:
        return await view.permissions(task_id, open_only=False, after=one.seq if one else 0, limit=limit)

    def shown(one: Permission) -> Permission:
        return msgspec.structs.replace(one, arguments=None, choices=None, response_schema=None, evidence_refs={})

    return await _first(after, REPORT_PERMISSIONS, shown)


async def _first(
    read: Callable[[T | None, int], Awaitable[list[T]]], limit: int, shown: Callable[[T], T]
) -> tuple[list[T], bool]:
    """Return the first rows as `shown` returns them, and whether there are more. `read` returns those after a row."""
    found: list[T] = []
    size = 0
    while page := await read(found[-1] if found else None, READ_AT_ONCE):
        for one in page:
            size += len(msgspec.json.encode(one))
            if len(found) == limit or (found and size > PART_BYTES):
                return found, True
            found.append(shown(one))
    return found, False


async def _events(view: Reading, task_id: str, latest: int) -> list[Event]:
    """Return the newest events, of which the shortened payloads and the stored ones have limited bytes together."""
    found: list[Event] = []
    shown = stored = 0
    before = latest + 1
    while len(found) < REPORT_EVENTS:
        rows = await view.brief().rows_before(task_id, before, EVENTS_AT_ONCE)
        for event in reversed(rows):
            shown, stored = shown + payload_bytes(event), stored + (event.cut_from or payload_bytes(event))
            if shown > REPORT_BYTES or (found and stored > STORED_BYTES):
                return found[::-1]
            found.append(event)
        if len(rows) < EVENTS_AT_ONCE:
            break
        before = rows[0].seq
    return found[::-1]


def redacted(report: Report, redaction: Redaction) -> Report:
    """Return the report without secrets."""
    hide = redaction.struct
    return replace(
        report,
        task=hide(report.task),
        spans=[hide(span) for span in report.spans],
        checkpoints=[hide(one) for one in report.checkpoints],
        permissions=[hide(one) for one in report.permissions],
        messages=[hide(one) for one in report.messages],
        artifacts=[hide(one) for one in report.artifacts],
        events=[redaction.event(event) for event in report.events],
        failure=_without_secrets(report.failure, redaction) if report.failure else None,
        cancellation=replace(
            report.cancellation, requests=[redaction.event(event) for event in report.cancellation.requests]
        )
        if report.cancellation
        else None,
    )


def _without_secrets(failure: Failure, redaction: Redaction) -> Failure:
    hide, change, cause = redaction.text, msgspec.structs.replace, failure.cause
    found = cause.evidence
    tests = [change(test, name=hide(test.name), message=hide(test.message)) for test in found.failed_tests]
    return replace(
        failure,
        cause=change(
            cause,
            span=redaction.struct(cause.span) if cause.span else None,
            command=hide(cause.command),
            error=hide(cause.error),
            last_line=hide(cause.last_line),
            evidence=change(found, error=hide(found.error), tests=hide(found.tests), failed_tests=tests),
        ),
        path=[redaction.struct(span) for span in failure.path],
        output=[line._replace(text=hide(line.text)) for line in failure.output],
        traceback=[hide(line) for line in failure.traceback],
    )
