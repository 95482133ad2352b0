"""The directory: the principal of a token or a session, cached until something changes.

Each write of accounts, tokens or projects increments a version number. The directory reads it after every commit
without events, also of other processes, and at least every `CHECK_INTERVAL_S` seconds.
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
from signalbox.store.loops import FIRST_PAUSE, Loop, end_tasks, shared_pause
from signalbox.store.people import TaskSummary
from signalbox.webapp.auth.principal import LOCAL, NOBODY, Principal, of_account, of_token

CHECK_INTERVAL_S = 1.0
"""About the maximum seconds between two checks of the version and of expiry times."""

MIN_CHECK_INTERVAL_S = 0.05
"""Minimum seconds between two checks of the version."""

MAX_CACHED = 10_000
"""Maximum number of credentials, and of tasks, in the cache."""

NEVER = float("inf")

log = structlog.get_logger("signalbox.auth")


class Credential(NamedTuple):
    """The digest of the token or session that a request carries."""

    kind: Literal["token", "session"]
    digest: str


class Directory:
    """The cache. `on_check` is called after each check, so that streams without a valid right end.

    `guarded`: callers must identify themselves, because there is an account or a token, or because of `always`, which
    is set when the server listens on an address other than loopback. `clock` returns the seconds since 1970, by the
    clock of the database. With `only_caller`, every request is by this principal, whatever its credential.
    """

    def __init__(
        self,
        people: People,
        *,
        always: bool,
        on_check: Callable[[], Awaitable[None]],
        loop: Loop | None = None,
        clock: Callable[[], float] = time.time,
        only_caller: Principal | None = None,
    ) -> None:
        self._only_caller = only_caller
        self._loop = loop or Loop("rights", max_pause=FIRST_PAUSE)
        self.guarded = self._always = always
        self._people = people
        self._clock = clock
        self._on_check = on_check
        self._version = -1
        self._principals: dict[Credential, tuple[Principal, float]] = {}
        self._places: dict[str, TaskSummary] = {}
        self._newest = 0
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Read the version, then watch it in the background."""
        await self._refresh()
        self._task = asyncio.create_task(self._loop.run(self._watch), name="signalbox-directory")

    async def close(self) -> None:
        """Stop watching."""
        await end_tasks(self._task)

    def on_commit(self, events: Sequence[Event]) -> None:
        """Handle a commit with these events. A commit without events may have changed people or deleted a task."""
        newest = events[-1].event_id if events else self._newest
        # Deleting a task uses an event id without an event, so a gap in the ids means that a task may be gone.
        if not events or newest - self._newest != len(events):
            self._places = {}
        if not events:
            self._woken.set()
        self._newest = newest

    def forget(self) -> None:
        """Empty the cache and check at once, because the store has another history now."""
        self._version, self._principals, self._places, self._newest = -1, {}, {}, 0
        self._woken.set()

    async def principal(self, credential: Credential | None) -> Principal:
        """Return the principal of a credential; NOBODY if it is unknown, expired, ended or revoked."""
        if self._only_caller is not None:
            return self._only_caller
        if not self.guarded:
            return LOCAL
        if credential is None:
            return NOBODY
        # Capture the dict before awaiting: if `_refresh` replaces it meanwhile, the stale result lands in the old one.
        principals = self._principals
        known = principals.get(credential)
        if known is not None and self._clock() < known[1]:
            return known[0]
        principal, until = await self._load(credential)
        if principal.known:
            _make_room(principals)
            principals[credential] = principal, until
        return principal

    async def project_of(self, task_id: str) -> str:
        """Return the project of a task. Raises UnknownTask."""
        return (await self.task_summary(task_id)).project_id

    async def task_summary(self, task_id: str, *, fresh: bool = False) -> TaskSummary:
        """Return the project and identity of a task; `fresh` bypasses the cache. Raises UnknownTask."""
        places = self._places
        place = None if fresh else places.get(task_id)
        if place is None:
            place = await self._people.task_summary(task_id)
            if place is None:
                places.pop(task_id, None)
                raise UnknownTask(task_id)
            _make_room(places)
            places[task_id] = place
        return place

    async def unknown_project(self, project_id: str) -> bool:
        """Return whether no project has this id."""
        return await self._people.project(project_id) is None

    async def changed(self) -> None:
        """Check now, because this process has just changed people."""
        await self._refresh()
        await self._on_check()

    async def _load(self, credential: Credential) -> tuple[Principal, float]:
        if credential.kind == "session":
            session = await self._people.session(credential.digest)
            account = await self._people.account(session.account_id) if session else None
            if (
                session is None
                or account is None
                or account.disabled_at
                or unix_time(session.expires_at) <= self._clock()
            ):
                return NOBODY, 0
            return of_account(account, await self._people.roles(account.account_id)), unix_time(session.expires_at)
        token = await self._people.token(credential.digest)
        until = unix_time(token.expires_at) if token and token.expires_at else NEVER
        if token is None or token.revoked_at or until <= self._clock():
            return NOBODY, 0
        if token.account_id is None:
            return of_token(token, None, {}), until
        account = await self._people.account(token.account_id)
        if account is None or account.disabled_at:
            return NOBODY, 0
        return of_token(token, account, await self._people.roles(account.account_id)), until

    async def _refresh(self) -> None:
        version = await self._people.version()
        if version == self._version:
            return
        self.guarded = self._always or await self._people.guarded()
        self._version = version
        self._principals = {}

    async def _watch(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(shared_pause(CHECK_INTERVAL_S)):
                await self._woken.wait()
        woken = self._woken.is_set()
        self._woken.clear()
        await self._refresh()
        await self._on_check()
        if woken:
            await asyncio.sleep(MIN_CHECK_INTERVAL_S)


def unix_time(timestamp: str) -> float:
    """Convert a timestamp of the store to seconds since 1970. A timestamp without a zone is in UTC."""
    at = datetime.fromisoformat(timestamp)
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp()


def _make_room(kept: dict[Any, Any]) -> None:
    if len(kept) >= MAX_CACHED:
        kept.clear()
