"""A relay at work: reads an upstream over every cut, until its last word is in the log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress

from signalbox.store.emitter.run import HEARTBEAT_INTERVAL
from signalbox.store.log import Log
from signalbox.store.state import Status
from signalbox.webapp.relay.backoff import Backoff
from signalbox.webapp.relay.record import Identity, Record
from signalbox.webapp.relay.upstream import Away, Refused, Upstream, UpstreamError

OVER: frozenset[Status] = frozenset({"done", "failed", "cancelled"})
"""A task that is interrupted may go on."""

ENDING = frozenset({"runner_exit", "status"})
"""Types of events with which a task may have ended."""

TOLD_AFTER = 3.0
"""Seconds that an upstream is away, or back, before the log says so. A quick restart is nobody's concern."""

PATIENCE = 60.0
"""Seconds in which an upstream that was there before may answer nonsense: proxies do, while it restarts."""

GRACE = 10.0
"""Seconds that an upstream has to end by itself when it was asked to."""

LAST_PATIENCE, SHORT_PATIENCE = 60.0, 1.0
"""Seconds to wait for a log that does not answer, when all is over, and when somebody waits for us to go."""


class Relay:
    """Relays `upstream` into one task of `log`, which is made if it is new.

    A task has one upstream. Two relays of the same one do no harm: their keys are the same. `say` gets a line of text
    for whoever is in charge. `refused_as` is how the task ends when the upstream cannot be relayed.
    """

    def __init__(
        self,
        log: Log,
        task_id: str,
        upstream: Upstream,
        say: Callable[[str], None],
        *,
        identity: Identity | None = None,
        refused_as: Status = "interrupted",
        heartbeat_interval: float = HEARTBEAT_INTERVAL,
    ) -> None:
        self._upstream, self._say, self._refused_as = upstream, say, refused_as
        self._record = Record(log, task_id, identity or Identity(), say, heartbeat_interval)
        self._backoff = Backoff()
        self._known = False
        self._away = False

    async def run(self) -> Status:
        """Relay until the upstream's last word is in the log; the answer is how the task ended.

        A task that is over is left as it is. Raises Refused for an upstream that cannot be relayed; a task that is
        there then says so. Raises StoreError when the log does not answer at the start.
        """
        record, patience = self._record, SHORT_PATIENCE
        try:
            await record.open()
            if record.task is not None and record.task.status in OVER:
                return record.task.status
            self._known = record.position.begun
            if record.task is not None and record.task.status != "interrupted":
                await record.begin(self._upstream.name)
            status = await self._attend()
            patience = LAST_PATIENCE
            return status
        except Refused as error:
            if record.task is not None:
                record.end(self._refused_as, error_code="upstream_refused", message=str(error))
            patience = LAST_PATIENCE
            raise
        finally:
            left = await record.close(patience)
            if left and patience == LAST_PATIENCE:
                self._say(f"the log is not whole: {left} of its last events are missing")
            await self._upstream.aclose()

    async def _attend(self) -> Status:
        """Read until the end, or until somebody asks the task to stop."""
        reading = asyncio.create_task(self._read(), name="signalbox-relay")
        asked = asyncio.create_task(self._record.cancelled.wait())
        try:
            await asyncio.wait({reading, asked}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                await self._ask_to_stop(reading)
            if reading.done():
                return reading.result()
        finally:
            reading.cancel()
            asked.cancel()
            await asyncio.gather(reading, asked, return_exceptions=True)
        self._record.end("cancelled", message="cancelled on request")
        return "cancelled"

    async def _ask_to_stop(self, reading: asyncio.Task[Status]) -> None:
        with suppress(UpstreamError):
            if await self._upstream.cancel():
                await asyncio.wait({reading}, timeout=GRACE)

    async def _read(self) -> Status:
        """Connect, take what comes, and connect again, until the task has ended."""
        upstream, prepared = self._upstream, self._known
        while True:
            asked = None
            try:
                if not prepared:
                    await upstream.prepare()
                    prepared = True
                status = await self._take()
                if status is not None:
                    return status
                why = f"{upstream.name} ended its stream without a final status"
            except Away as error:
                why, asked = str(error), error.retry_after
            except Refused as error:
                if error.certain or not self._known or self._backoff.lasting > PATIENCE:
                    raise
                why = str(error)
            wait = self._backoff.failed(asked or upstream.retry)
            if self._backoff.lasting >= TOLD_AFTER and not self._away:
                self._away = True
                await self._record.begin(upstream.name)
                self._tell(f"{why}; trying again")
            await asyncio.sleep(wait)

    async def _take(self) -> Status | None:
        """One connection: what comes, into the log. How the task ended, or None when the connection did."""
        record, position = self._record, self._record.position
        back: asyncio.TimerHandle | None = None
        position.connected()
        try:
            async with aclosing(self._upstream.messages(position.last_id)) as messages:
                async for message in messages:
                    if message is None:
                        self._known = True
                        await record.begin(self._upstream.name)
                        back = asyncio.get_running_loop().call_later(TOLD_AFTER, self._lasts)
                        continue
                    self._back()
                    for event in position.take(message):
                        self._backoff.succeeded()
                        await record.add(event)
                        if event.event_type in ENDING and (status := await record.settled()) in OVER:
                            return status
        finally:
            if back is not None:
                back.cancel()
        return None

    def _lasts(self) -> None:
        # One that says the same again on each connection, and then breaks off, is no success.
        self._backoff.succeeded()
        self._back()

    def _back(self) -> None:
        if self._away:
            self._away = False
            self._tell(f"{self._upstream.name} answers again")

    def _tell(self, message: str) -> None:
        self._say(message)
        self._record.tell(message)
