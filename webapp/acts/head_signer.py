"""The signer: signs the newest link of each log every `signing_interval` events, and when its run ends.

Every server process has one, and the process that holds the lease `LEASE` signs. It follows the log some seconds behind
the writers, so no append waits for a signature.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from signalbox.store import Store
from signalbox.store.chain.heads import LogHead, SignedHead, SigningKey, signed
from signalbox.store.chain.keys import signing_key
from signalbox.store.contract.reading.links import UnsignedLog
from signalbox.store.errors import LeaseLost
from signalbox.store.events import new_id
from signalbox.store.loops import Loops, end_tasks
from signalbox.store.times import timestamp
from signalbox.webapp.settings import Settings

LEASE = "signalbox:heads"
"""The lease of the signer. Its position is the event id up to which all logs are signed."""

INTERVAL = 5.0
"""Seconds between two rounds. A head is signed at most this long, and the time of a round, after its event."""

LEASE_SECONDS = 30.0
STEP = 10_000
"""Event ids that one read covers."""


class HeadSigner:
    """Signs heads in the background until it is stopped."""

    def __init__(self, store: Store, settings: Settings, loops: Loops) -> None:
        self._store = store
        self._path = settings.signing_key
        self._every = settings.signing_interval
        self._holder = new_id()
        self._seen = ("", 0)
        self._loop = loops.loop("signer")
        self._task = asyncio.create_task(self._loop.run(self._round), name="signalbox-signer")

    async def stop(self) -> None:
        """Stop signing."""
        await end_tasks(self._task)

    async def _round(self) -> None:
        await self._loop.rest(INTERVAL)
        await self.sign_new()

    async def sign_new(self) -> None:
        """Sign what is new, unless another process does."""
        async with self._store.glance() as view:
            newest = await view.latest_event_id()
        if self._seen == (self._store.epoch, newest):
            return
        claim = await self._store.aclaim(LEASE, self._holder, LEASE_SECONDS)
        if not claim.held:
            return
        try:
            position = claim.position
            while position < newest:
                until = min(newest, position + STEP)
                async with self._store.read() as view:
                    found = await view.unsigned_logs(position, until, self._every)
                if found:
                    await self._store.asign_heads(await asyncio.to_thread(self._signed, found))
                await self._store.acommit_position(LEASE, self._holder, claim.epoch, until, LEASE_SECONDS)
                position = until
            self._seen = (claim.epoch, newest)
        except LeaseLost:
            pass  # Another process continues at the last commit.
        finally:
            await self._store.arelease(LEASE, self._holder)

    def _signed(self, logs: list[UnsignedLog]) -> list[SignedHead]:
        key = key_of(self._store, self._path)
        at = timestamp(time.time() + self._store.clock_offset)
        return [
            signed(
                LogHead(
                    task_id=found.task_id,
                    identity=found.identity,
                    seq=found.seq,
                    link=found.link.hex(),
                    signed_at=at,
                    reason="end" if found.ended else "events",
                ),
                key,
            )
            for found in logs
        ]


def key_of(store: Store, path: str) -> SigningKey:
    """Return the key in the file that the setting `signing_key` names, else the store's own. Raises BadKey."""
    return signing_key(Path(path)) if path else store.log_key
