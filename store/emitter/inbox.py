"""`task.inbox()`: the messages of people to a run, each until the run acknowledges it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Iterator
from concurrent.futures import Future
from typing import Any, Generic, Self, cast

from signalbox.store.emitter.lifeline import Lifeline
from signalbox.store.emitter.scope import SpanScope
from signalbox.store.emitter.vocabulary import R
from signalbox.store.state import SentMessage
from signalbox.store.times import limited

LOAD_TIMEOUT = 10.0
"""Seconds for which the first call waits for earlier messages, however short its own timeout is."""


class InboxMessage(Generic[R]):
    """A message to the run: its `text`, its JSON `data`, and `by`, the name of the person who sent it."""

    def __init__(self, message: SentMessage, scope: SpanScope[R]) -> None:
        self.seq, self.text, self.data = message.seq, message.text, message.data
        self.by, self.at = message.by, message.at
        self.is_acknowledged = False
        self._scope = scope

    def acknowledge(self) -> R:
        """Tell the sender that the run has taken the message, which does not come again. In asyncio, await this."""
        scope = self._scope
        self.is_acknowledged = True
        scope.run.lifeline.mailbox.acknowledge(self.seq)
        return scope.emitter.emit_message_taken(scope.task_id, self.seq, span_id=scope.span_id, phase=scope.phase_name)

    def __repr__(self) -> str:
        return f"<message #{self.seq} by {self.by}: {self.text!r}>"


class Inbox(Generic[R]):
    """The base of both inboxes. It begins with the first message that is not acknowledged."""

    def __init__(self, scope: SpanScope[R], timeout: float | None) -> None:
        self._scope, self._timeout = scope, limited(timeout)
        self._lifeline: Lifeline = scope.run.lifeline
        self._lifeline.load_messages()
        self._last: InboxMessage[R] | None = None

    def _steps(self) -> Iterator[tuple[Future[None], float | None]]:
        """Find the next message and set `_last`, None at the end. Yields each future to wait for, and for how long.

        Raises the StoreError that ended the reading of the log, if the emitter is strict.
        """
        self._last = None
        mailbox, began = self._lifeline.mailbox, time.monotonic()
        while True:
            with mailbox.change() as change:
                message = mailbox.first()
                if message is not None and mailbox.is_loaded:
                    self._last = InboxMessage(message, self._scope)
                    return
                if self._lifeline.cancelled:
                    return
                if self._lifeline.error is not None:
                    if self._scope.emitter.strict:
                        raise self._lifeline.error
                    return
                timeout = self._timeout
                if timeout is not None and not mailbox.is_loaded:
                    timeout = max(timeout, LOAD_TIMEOUT)
                left = None if timeout is None else began + timeout - time.monotonic()
                if left is not None and left <= 0:
                    return
                yield change, left

    def _unacknowledged(self) -> InboxMessage[R] | None:
        last = self._last
        return last if last is not None and not last.is_acknowledged else None


class SyncInbox(Inbox[R]):
    """The inbox of synchronous code. Asking for the next message acknowledges the one before."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> InboxMessage[R]:
        if before := self._unacknowledged():
            before.acknowledge()
        for change, seconds in self._steps():
            try:
                change.result(seconds)
            except TimeoutError:
                change.cancel()
        if self._last is None:
            raise StopIteration
        return self._last


class AsyncInbox(Inbox[R]):
    """The inbox of asyncio."""

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> InboxMessage[R]:
        if before := self._unacknowledged():
            await cast(Awaitable[Any], before.acknowledge())
        for change, seconds in self._steps():
            try:
                await asyncio.wait_for(asyncio.wrap_future(change), seconds)
            except TimeoutError:
                change.cancel()
        if self._last is None:
            raise StopAsyncIteration
        return self._last
