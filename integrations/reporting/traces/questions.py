"""Questions to people: permission requests of a traced task, and the wait for their answers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from signalbox.integrations.reporting.target import CALL_TIMEOUT_S, ReportTarget
from signalbox.integrations.reporting.traces.traced_task import TracedTask
from signalbox.integrations.reporting.traces.values import plain
from signalbox.store.emitter.lifeline import Lifeline
from signalbox.store.emitter.permission import Answer
from signalbox.store.errors import StoreError, UnknownTask
from signalbox.store.events import MAX_PAYLOAD_BYTES, Event, new_id
from signalbox.store.log import Log, task_of
from signalbox.store.redaction.writes import write_redaction_of_environment
from signalbox.store.state import Task
from signalbox.store.times import limited, now

REACH_TIMEOUT_S = 5.0
"""Seconds for which a question waits until the store has it. If the store cannot be reached, nobody can answer."""

NEVER_S = 365 * 24 * 3600.0
"""The heartbeat interval of a thread that only waits: the background writer sends the heartbeats."""

T = TypeVar("T")


class Question:
    """A permission request. `ask` shows it on the pages, `wait` returns its answer.

    `seconds` is the time limit, None for none. The request offers `choices`, expects a value of a `response_schema`, or
    lets people change the `arguments` with `editable`: see "Answers with a value" in docs/events.md. Arguments that are
    too large for the log, or of which the redaction hides a value, cannot be changed: the log has only a part of them.
    """

    def __init__(
        self,
        task: TracedTask,
        span_id: str | None,
        tool_name: str,
        arguments: Any = None,
        *,
        reason: str | None = None,
        seconds: float | None = None,
        choices: Sequence[Any] | None = None,
        response_schema: dict[str, Any] | None = None,
        editable: bool = False,
        **fields: Any,
    ) -> None:
        self.request_id, seconds = new_id(), limited(seconds)
        given = plain(arguments)
        # An answer would bring back what the redaction has hidden.
        is_whole = isinstance(given, dict) and write_redaction_of_environment().value(given) == given
        self._task, self._span_id = task, span_id
        self._deadline = None if seconds is None else time.monotonic() + seconds
        self._since_seq = 0
        self._is_closed = False
        self._payload = {
            "request_id": self.request_id,
            "tool_name": tool_name,
            "arguments": given,
            "reason": reason,
            "expires_at": None if seconds is None else _in_seconds(seconds),
            "choices": list(choices) if choices else None,
            "response_schema": response_schema,
            "editable": (editable and is_whole and _fits(given)) or None,
            **fields,
        }

    def ask(self) -> None:
        """Show the request on the pages. Never waits."""
        # Its answer comes later than everything that other questions have read.
        self._since_seq = self._task.seen_seq
        self._task.event("permission_request", self._span_id, None, self._payload)

    def withdraw(self, cause: str = "withdrawn") -> None:
        """Close the request, if it is open. Never waits."""
        payload = {"request_id": self.request_id, "cause": cause}
        self._task.event("permission_cleared", self._span_id, None, payload)

    def withdraw_if_open(self) -> None:
        """Close the request unless `wait` has returned how it was closed."""
        if not self._is_closed:
            self.withdraw()

    def wait(self, timeout: float | None = None) -> Answer | None:
        """Block until the request is closed, for at most `timeout` seconds if `seconds` does not limit it already.

        A store that answers slowly may take longer than the limit, by `REACH_TIMEOUT_S` for each of two steps: to store
        the request, and to say how it ended. None if the store cannot be reached, so that nobody can answer.
        """
        return self.wait_in_thread(timeout).result()

    def wait_in_thread(self, timeout: float | None = None) -> Future[Answer | None]:
        """Do the same as `wait` in a thread of its own."""
        if self._deadline is None and (timeout := limited(timeout)) is not None:
            self._deadline = time.monotonic() + timeout
        return in_thread(self._wait)

    def _wait(self) -> Answer | None:
        writer = self._task.writer
        log: Log | None = None
        try:
            # Also after the time limit: only the log says whether somebody has answered.
            if writer.flush(REACH_TIMEOUT_S):
                log = _open_directly(writer.target)
                if asyncio.run(self._is_there(log)):
                    return self._answer_in(log)
        except (StoreError, OSError):
            pass
        finally:
            if log is not None:
                with suppress(Exception):
                    log.close()
        self.withdraw()
        return None

    async def _is_there(self, log: Log) -> bool:
        """Return whether the log has the task. The writer may have put its events into a spool on disk."""
        deadline = time.monotonic() + REACH_TIMEOUT_S
        while True:
            try:
                task = await task_of(log, self._task.task_id)
            except UnknownTask:
                if time.monotonic() > deadline:
                    return False
                await asyncio.sleep(0.05)
            else:
                return self._task.identity in (None, task.identity)

    def _answer_in(self, log: Log) -> Answer:
        task, at = self._task, now()
        state = Task(task_id=task.task_id, identity=task.identity or "", main_span_id="", created_at=at, updated_at=at)
        lifeline = Lifeline(log, state, self._span_id or task.root, self._since_seq, NEVER_S)
        try:
            closing = lifeline.expect(self.request_id)
            try:
                event = closing.result(self._left())
            except TimeoutError:
                # The log decides: an answer may have been appended just before.
                self.withdraw("expired")
                task.writer.flush(REACH_TIMEOUT_S)
                event = closing.result(REACH_TIMEOUT_S)
            if event.event_type == "cancel_requested":
                self.withdraw("cancelled")
            self._is_closed = True
            return _answer(self.request_id, event)
        except TimeoutError:
            self._is_closed = True
            return Answer(self.request_id, "expired")
        finally:
            task.seen_seq = max(task.seen_seq, lifeline.cursor)
            lifeline.stop()

    def _left(self) -> float | None:
        """Return the seconds until the time limit. None means no limit."""
        return None if self._deadline is None else max(0.0, self._deadline - time.monotonic())


def in_thread(call: Callable[[], T]) -> Future[T]:
    """Run `call` in a thread that does not keep the program alive."""
    future: Future[T] = Future()

    def run() -> None:
        try:
            result = call()
        except BaseException as error:
            future.set_exception(error)
        else:
            future.set_result(result)

    threading.Thread(target=run, name="signalbox-question", daemon=True).start()
    return future


def _open_directly(target: ReportTarget) -> Log:
    """Open the log without a spool on disk: an answer can come only from a server that is there."""
    if not target.is_server:
        return target.open()
    from signalbox.store.remote import RemoteLog

    return RemoteLog(target.url, target.token, patience=CALL_TIMEOUT_S)


def _answer(request_id: str, event: Event) -> Answer:
    payload = event.payload
    state: Any = "expired" if payload.get("cause") == "expired" else "cleared"
    if event.event_type == "permission_response":
        state = "approved" if payload.get("approved") is True else "denied"
    elif event.event_type == "cancel_requested":
        state = "cancelled"
    by, reason = (text if isinstance(text, str) else None for text in (payload.get("by"), payload.get("reason")))
    return Answer(request_id, state, by, reason, payload.get("value") if state == "approved" else None)


def _fits(arguments: dict[str, Any]) -> bool:
    """Return whether the log stores these arguments unchanged."""
    return len(msgspec.json.encode(arguments)) < MAX_PAYLOAD_BYTES // 2


def _in_seconds(seconds: float) -> str:
    at = datetime.now(UTC) + timedelta(seconds=seconds)
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")
