"""Permission requests: a run appends a request to its log and waits for the event that closes it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from concurrent.futures import Future
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, Literal, cast

import msgspec

from signalbox.store.answers import check_schema
from signalbox.store.emitter.scope import SpanScope
from signalbox.store.emitter.vocabulary import R
from signalbox.store.errors import InvalidEvent, UnknownTask
from signalbox.store.events import Event, new_id
from signalbox.store.projections.permissions import choices_in
from signalbox.store.times import limited


class Answer(msgspec.Struct, frozen=True):
    """The outcome of a permission request. It is true if the request was approved.

    `state` is `expired` if there was no answer in time, `cancelled` if the run was asked to stop while it waited, and
    `cleared` if the request was closed for another reason. `value` is that of an approval: the choice, the value that
    the schema describes, or the arguments as the person changed them.
    """

    request_id: str
    state: Literal["approved", "denied", "expired", "cancelled", "cleared"]
    by: str | None = None
    reason: str | None = None
    value: Any = None

    @property
    def approved(self) -> bool:
        return self.state == "approved"

    def __bool__(self) -> bool:
        return self.approved


class PermissionRequest(Generic[R]):
    """A permission request of a run, which can wait for its answer in synchronous code or in asyncio."""

    def __init__(
        self,
        scope: SpanScope[R],
        tool_name: str,
        arguments: Any,
        reason: str | None,
        timeout: float | None,
        evidence_refs: dict[str, Any] | None = None,
        asked: dict[str, Any] | None = None,
    ) -> None:
        self._asked = _checked(asked or {}, arguments)
        self._scope, self._timeout = scope, limited(timeout)
        self._tool_name, self._arguments, self._reason = tool_name, arguments, reason
        self._evidence_refs = evidence_refs
        self._lifeline = scope.run.lifeline
        self._id = new_id()
        self._strict = scope.emitter.strict
        self._closing = self._expect()

    def wait(self) -> Answer:
        """Append the request and block until it is closed."""
        try:
            return self._wait()
        except UnknownTask:
            if self._strict:
                raise
            return self._without_task()

    async def await_answer(self) -> Answer:
        """Do the same as `wait`, in asyncio."""
        try:
            return await self._await_answer()
        except UnknownTask:
            if self._strict:
                raise
            return self._without_task()

    def _expect(self) -> Future[Event]:
        try:
            return self._lifeline.expect(self._id)
        except UnknownTask as error:
            closing: Future[Event] = Future()
            closing.set_exception(error)
            return closing

    def _without_task(self) -> Answer:
        # A request of a deleted task cannot be answered, so the run must not wait.
        return Answer(self._id, "cleared", reason="the task was deleted")

    def _wait(self) -> Answer:
        try:
            self._request()
            try:
                event = self._closing.result(self._timeout)
            except TimeoutError:
                # The log decides: an answer may have been appended just before.
                self._clear("expired")
                event = self._closing.result()
            if event.event_type == "cancel_requested":
                self._clear("cancelled")
            return self._answer(event)
        except BaseException:
            if not self._closing.done():
                self._clear("withdrawn")
            raise
        finally:
            self._lifeline.forget(self._id)

    async def _await_answer(self) -> Answer:
        closing = asyncio.wrap_future(self._closing)
        try:
            await cast(Awaitable[Event], self._request())
            try:
                event = await asyncio.wait_for(asyncio.shield(closing), self._timeout)
            except TimeoutError:
                await cast(Awaitable[Event], self._clear("expired"))
                event = await asyncio.shield(closing)
            if event.event_type == "cancel_requested":
                await cast(Awaitable[Event], self._clear("cancelled"))
            return self._answer(event)
        except BaseException:
            if not self._closing.done():
                await cast(Awaitable[Event], self._clear("withdrawn"))
            raise
        finally:
            self._lifeline.forget(self._id)

    def _request(self) -> R:
        scope, expires_at = self._scope, None
        if self._timeout is not None:
            at = datetime.now(UTC) + timedelta(seconds=self._timeout)
            expires_at = at.isoformat(timespec="microseconds").replace("+00:00", "Z")
        return scope.emitter.emit_permission_request(
            scope.task_id,
            scope.span_id,
            self._id,
            self._tool_name,
            self._arguments,
            reason=self._reason,
            expires_at=expires_at,
            evidence_refs=self._evidence_refs,
            **self._asked,
            phase=scope.phase_name,
        )

    def _clear(self, cause: str) -> R:
        scope = self._scope
        return scope.emitter.emit_permission_cleared(
            scope.task_id, scope.span_id, self._id, cause, phase=scope.phase_name
        )

    def _answer(self, event: Event) -> Answer:
        by, reason = event.payload.get("by"), event.payload.get("reason")
        state: Any = "cleared"
        if event.event_type == "permission_response":
            state = "approved" if event.payload.get("approved") is True else "denied"
        elif event.event_type == "cancel_requested":
            state = "cancelled"
        elif event.payload.get("cause") == "expired":
            state = "expired"
        by, reason = (text if isinstance(text, str) else None for text in (by, reason))
        return Answer(self._id, state, by, reason, event.payload.get("value") if state == "approved" else None)


def _checked(asked: dict[str, Any], arguments: Any) -> dict[str, Any]:
    """Return the fields of the request that say which value an answer has. Raises InvalidEvent for unusable ones."""
    fields = {name: value for name, value in asked.items() if value is not None}
    if "editable" in fields and fields["editable"] is not True:
        fields["editable"] = list(fields["editable"])
    if "choices" in fields:
        fields["choices"] = list(fields["choices"])
        if not choices_in(fields["choices"]):
            raise InvalidEvent("choices must have texts, or objects with value and label", "choices")
    if "response_schema" in fields:
        check_schema(fields["response_schema"])
    if "editable" in fields and arguments is None:
        raise InvalidEvent("editable needs arguments that a person can change", "editable")
    return fields
