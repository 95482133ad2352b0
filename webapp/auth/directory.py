"""The directory: who stands behind a token or a session, remembered for as long as nothing has changed.

A change is noticed by the version that every write of people raises: at once after a commit that brought no event, by
whichever process, and at the latest after `TICK`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

import structlog

from signalbox.store import Event, UnknownTask
from signalbox.store.contract import People
from signalbox.store.loops import FIRST_PAUSE, Loop
from signalbox.store.people import Place
from signalbox.webapp.auth.principal import LOCAL, NOBODY, Principal, of_account, of_token

TICK = 0.5
"""Seconds between two looks at the version and the clock."""

PAUSE = 0.05
"""Seconds between two looks at the version, however many commits there are."""

REMEMBERED = 10_000
"""Credentials and tasks that are kept in memory."""

FOR_EVER = float("inf")

log = structlog.get_logger("signalbox.auth")


class Credential(NamedTuple):
    """What a caller shows, as its digest."""

    kind: Literal["token", "session"]
    digest: str


class Directory:
    """Answers out of memory. `on_look` is called after each look, for what must end with its right.

    `guarded` is whether callers must say who they are: they must when there is any account or token, and `always` on
    another address than loopback.
    """

    def __init__(
        self, people: People, *, always: bool, on_look: Callable[[], Awaitable[None]], loop: Loop | None = None
    ) -> None:
        self._loop = loop or Loop("rights", longest_pause=FIRST_PAUSE)
        self.guarded = self._always = always
        self._people = people
        self._on_look = on_look
        self._version = -1
        self._principals: dict[Credential, tuple[Principal, float]] = {}
        self._places: dict[str, Place] = {}
        self._newest = 0
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Look for the first time, then watch in the background."""
        await self._look()
        self._task = asyncio.create_task(self._loop.run(self._watch), name="signalbox-directory")

    async def close(self) -> None:
        """Watch no more."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def hear(self, events: Sequence[Event]) -> None:
        """There was a commit. One without events may be anything: people changed, or a task was deleted."""
        newest = events[-1].event_id if events else self._newest
        # To delete a task uses up an id, which no event has, and which others' events may follow.
        if not events or newest - self._newest != len(events):
            self._places = {}
        if not events:
            self._woken.set()
        self._newest = newest

    def forget(self) -> None:
        """The store has other people and tasks now: remember nothing, and look at once."""
        self._version, self._principals, self._places, self._newest = -1, {}, {}, 0
        self._woken.set()

    async def principal(self, credential: Credential | None) -> Principal:
        """Who this is. NOBODY for a credential that is unknown, expired, ended or revoked."""
        if not self.guarded:
            return LOCAL
        if credential is None:
            return NOBODY
        # What changes while it is loaded takes the memory away: it is kept in the one that was there before.
        principals = self._principals
        known = principals.get(credential)
        if known is not None and time.time() < known[1]:
            return known[0]
        principal, until = await self._load(credential)
        if principal.known:
            _make_room(principals)
            principals[credential] = principal, until
        return principal

    async def project_of(self, task_id: str) -> str:
        """The project of a task. Raises UnknownTask."""
        return (await self.place_of(task_id)).project_id

    async def place_of(self, task_id: str, *, fresh: bool = False) -> Place:
        """Where a task belongs; `fresh` asks the store. Raises UnknownTask."""
        places = self._places
        place = None if fresh else places.get(task_id)
        if place is None:
            place = await self._people.place_of(task_id)
            if place is None:
                places.pop(task_id, None)
                raise UnknownTask(task_id)
            _make_room(places)
            places[task_id] = place
        return place

    async def unknown_project(self, project_id: str) -> bool:
        """Whether there is no such project."""
        return await self._people.project(project_id) is None

    async def changed(self) -> None:
        """Look now, because this process has just changed something."""
        await self._look()
        await self._on_look()

    async def _load(self, credential: Credential) -> tuple[Principal, float]:
        if credential.kind == "session":
            session = await self._people.session(credential.digest)
            account = await self._people.account(session.account_id) if session else None
            if (
                session is None
                or account is None
                or account.disabled_at
                or unix_time(session.expires_at) <= time.time()
            ):
                return NOBODY, 0
            return of_account(account, await self._people.roles(account.account_id)), unix_time(session.expires_at)
        token = await self._people.token(credential.digest)
        until = unix_time(token.expires_at) if token and token.expires_at else FOR_EVER
        if token is None or token.revoked_at or until <= time.time():
            return NOBODY, 0
        if token.account_id is None:
            return of_token(token, None, {}), until
        account = await self._people.account(token.account_id)
        if account is None or account.disabled_at:
            return NOBODY, 0
        return of_token(token, account, await self._people.roles(account.account_id)), until

    async def _look(self) -> None:
        version = await self._people.version()
        if version == self._version:
            return
        self.guarded = self._always or await self._people.guarded()
        self._version = version
        self._principals = {}

    async def _watch(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._woken.wait(), TICK)
        self._woken.clear()
        await self._look()
        await self._on_look()
        await asyncio.sleep(PAUSE)


def unix_time(timestamp: str) -> float:
    """A timestamp of the store in seconds since 1970; one that names no zone is UTC."""
    at = datetime.fromisoformat(timestamp)
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp()


def _make_room(kept: dict[Any, Any]) -> None:
    if len(kept) >= REMEMBERED:
        kept.clear()
