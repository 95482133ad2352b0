"""`/api/tasks/{id}/outcome`: why a run failed or who cancelled it, for programs."""

from __future__ import annotations

import msgspec
from quart import Blueprint

from signalbox.store.diagnosis.evidence import FailedTest
from signalbox.store.state import Status
from signalbox.store.terminal_escapes import plain
from signalbox.webapp.auth.access import needs
from signalbox.webapp.current import store
from signalbox.webapp.http.endpoint import endpoint
from signalbox.webapp.views.cancellation import Cancellation
from signalbox.webapp.views.failure import Failure
from signalbox.webapp.views.outcome import Outcome, outcome_of

blueprint = Blueprint("api_outcomes", __name__, url_prefix="/api/tasks")


class SpanName(msgspec.Struct, frozen=True):
    """The id and the name of a span."""

    span_id: str
    name: str


class OutputRow(msgspec.Struct, frozen=True):
    """A line of output without terminal colours, and the seq of its event."""

    seq: int
    message: str
    stderr: bool


class FailureResponse(msgspec.Struct, frozen=True, kw_only=True):
    """Why a run failed.

    `span_path` leads to the failing span, the outermost first; it is empty if the run itself failed. `seq` is the event
    to look at first. `traceback_error` is the error of the last traceback in the output, and `tests` the line that sums
    up a test run. `output` are the last 15 lines, those of stderr first. `same_error_runs` counts the runs of the
    project with this `fingerprint`, at most 1,000, and `same_error_since` is the creation time of the first of them.
    """

    error: str
    fingerprint: str | None
    same_error_runs: int
    same_error_since: str | None
    seq: int
    span_path: list[SpanName]
    command: str
    traceback_error: str
    tests: str
    failed_tests: list[FailedTest]
    failed_tests_total: int
    output: list[OutputRow]


class CancelRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request to cancel the run. `by` is a person of this server unless `claimed` is true."""

    seq: int
    at: str
    by: str | None
    reason: str | None
    claimed: bool


class OutcomeResponse(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended. `last_success` is the id of the last successful run of its kind."""

    status: Status
    failure: FailureResponse | None
    cancel_requests: list[CancelRequest]
    last_success: str | None


@blueprint.get("/<task_id>/outcome")
@needs("read")
@endpoint("Read why a run failed, or who cancelled it.")
async def show(task_id: str) -> OutcomeResponse:
    async with store().read() as view:
        task = await view.task(task_id)
        outcome = await outcome_of(view, view, task) or Outcome()
    return OutcomeResponse(
        status=task.status,
        failure=_failure(outcome.failure, outcome) if outcome.failure else None,
        cancel_requests=_requests(outcome.cancellation),
        last_success=outcome.success.task_id if outcome.success else None,
    )


def _failure(failure: Failure, outcome: Outcome) -> FailureResponse:
    cause, same = failure.cause, outcome.same
    return FailureResponse(
        error=cause.error,
        fingerprint=same.fingerprint if same else None,
        same_error_runs=same.runs if same else 0,
        same_error_since=same.since if same and same.runs else None,
        seq=failure.seq,
        span_path=[SpanName(span.span_id, span.name) for span in failure.spans],
        command=cause.command,
        traceback_error=cause.evidence.error,
        tests=cause.evidence.tests,
        failed_tests=cause.evidence.failed_tests,
        failed_tests_total=cause.evidence.failed_total,
        output=[OutputRow(line.seq, plain(line.text), line.stderr) for line in failure.output],
    )


def _requests(cancellation: Cancellation | None) -> list[CancelRequest]:
    return [
        CancelRequest(
            seq=event.seq,
            at=event.happened_at,
            by=_text(event.payload.get("by")),
            reason=_text(event.payload.get("reason")),
            claimed=event.origin != "server",
        )
        for event in (cancellation.requests if cancellation else [])
    ]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
