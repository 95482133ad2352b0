"""The relay's main loop: follows an upstream across reconnects until the task has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress

from signalbox.store.emitter.run import HEARTBEAT_INTERVAL
from signalbox.store.log import Log
from signalbox.store.loops import end_tasks
from signalbox.store.state import Status
from signalbox.webapp.relay.backoff import Backoff
from signalbox.webapp.relay.relayed_task import NewTask, RelayedTask
from signalbox.webapp.relay.upstream import Upstream, UpstreamError, UpstreamRefused, UpstreamUnavailable

FINAL_STATUSES: frozenset[Status] = frozenset({"done", "failed", "cancelled"})
"""Statuses that end a relay. An interrupted task may continue."""

ENDING_EVENTS = frozenset({"runner_exit", "status"})
"""Types of events that can end a task."""

REPORT_AFTER = 3.0
"""Seconds for which an upstream must fail, or work again, before the log says so. A quick restart is not reported."""

REFUSAL_TIMEOUT_S = 60.0
"""Seconds for which refusals of an upstream that worked before are retried: a proxy may answer while it restarts."""

CANCEL_GRACE = 10.0
"""Seconds that an upstream has to end its stream after it was asked to cancel."""

FINAL_TIMEOUT_S, SHORT_TIMEOUT_S = 60.0, 1.0
"""Seconds to wait for an unavailable log: after the end of the task, and when the relay itself is stopped."""


class Relay:
    """Relays `upstream` into one task of `log`, which is created if it does not exist.

    A task has one upstream. Two relays of the same upstream do no harm, because their idempotency keys are the same.
    `say` is called with messages for the operator. `status_if_refused` is the task's final status if the upstream
    refuses. With `identity` the task must exist already, with this identity. A relay never writes to another task that
    gets the id.
    """

    def __init__(
        self,
        log: Log,
        task_id: str,
        upstream: Upstream,
        say: Callable[[str], None],
        *,
        new_task: NewTask | None = None,
        status_if_refused: Status = "interrupted",
        heartbeat_interval: float = HEARTBEAT_INTERVAL,
        identity: str | None = None,
    ) -> None:
        self._upstream, self._say, self._refused_as = upstream, say, status_if_refused
        self._task = RelayedTask(log, task_id, new_task or NewTask(), say, heartbeat_interval, identity)
        self._backoff = Backoff()
        self._known = False
        self._reported_outage = False

    async def run(self) -> Status:
        """Relay until the task has ended, and return its final status.

        A task that has ended already is not changed. Raises UpstreamRefused if the upstream cannot be relayed; an
        existing task then records the refusal. Raises StoreError if the log is unavailable at the start, and
        UnknownTask once the task is deleted.
        """
        record, patience = self._task, SHORT_TIMEOUT_S
        try:
            await record.open()
            if record.task is not None and record.task.status in FINAL_STATUSES:
                return record.task.status
            self._known = record.position.has_messages
            if record.task is not None and record.task.status != "interrupted":
                await record.begin(self._upstream.name)
            status = await self._read_until_end()
            patience = FINAL_TIMEOUT_S
            return status
        except UpstreamRefused as error:
            if record.task is not None:
                record.end(self._refused_as, error_code="upstream_refused", message=str(error))
            patience = FINAL_TIMEOUT_S
            raise
        finally:
            left = await record.close(patience)
            if left and patience == FINAL_TIMEOUT_S:
                self._say(f"the log is incomplete: its last {left} events could not be appended")
            await self._upstream.aclose()

    async def _read_until_end(self) -> Status:
        """Record the stream until the task ends or is asked to stop."""
        reading = asyncio.create_task(self._read(), name="signalbox-relay")
        asked = asyncio.create_task(self._task.cancelled.wait())
        try:
            await asyncio.wait({reading, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                await self._ask_to_stop(reading)
            if reading.done():
                return reading.result()
        finally:
            await end_tasks(reading, asked)
        self._task.end("cancelled", message="cancelled on request")
        return "cancelled"

    async def _ask_to_stop(self, reading: asyncio.Task[Status]) -> None:
        with suppress(UpstreamError):
            if await self._upstream.cancel():
                await asyncio.wait({reading}, timeout=CANCEL_GRACE)

    async def _read(self) -> Status:
        """Connect, record the stream, and reconnect, until the task has ended."""
        upstream, prepared = self._upstream, self._known
        while True:
            retry_after = None
            try:
                if not prepared:
                    await upstream.prepare()
                    prepared = True
                status = await self._record_connection()
                if status is not None:
                    return status
                reason = f"{upstream.name} ended its stream without a final status"
            except UpstreamUnavailable as error:
                reason, retry_after = str(error), error.retry_after
            except UpstreamRefused as error:
                if error.certain or not self._known or self._backoff.failing_for > REFUSAL_TIMEOUT_S:
                    raise
                reason = str(error)
            wait = self._backoff.failed(retry_after or upstream.retry)
            if self._backoff.failing_for >= REPORT_AFTER and not self._reported_outage:
                self._reported_outage = True
                await self._task.begin(upstream.name)
                self._report(f"{reason}; trying again")
            await asyncio.sleep(wait)

    async def _record_connection(self) -> Status | None:
        """Record one connection. Returns the task's final status, or None if only the connection ended."""
        record, position = self._task, self._task.position
        stable: asyncio.TimerHandle | None = None
        position.connected()
        try:
            async with aclosing(self._upstream.messages(position.last_id)) as messages:
                async for message in messages:
                    if message is None:
                        self._known = True
                        await record.begin(self._upstream.name)
                        stable = asyncio.get_running_loop().call_later(REPORT_AFTER, self._connection_is_stable)
                        continue
                    self._report_return()
                    for event in position.take(message):
                        self._backoff.succeeded()
                        await record.add(event)
                        if (
                            event.event_type in ENDING_EVENTS
                            and (status := await record.status_when_drained()) in FINAL_STATUSES
                        ):
                            return status
        finally:
            if stable is not None:
                stable.cancel()
        return None

    def _connection_is_stable(self) -> None:
        # Opening a connection is not yet a success: an upstream may repeat the same messages and then break off.
        self._backoff.succeeded()
        self._report_return()

    def _report_return(self) -> None:
        if self._reported_outage:
            self._reported_outage = False
            self._report(f"{self._upstream.name} answers again")

    def _report(self, message: str) -> None:
        self._say(message)
        self._task.append_message(message)
