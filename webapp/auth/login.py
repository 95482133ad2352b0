"""Logging in and out: checked, limited, audited. It takes the same time whether an address is known or not."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter
from quart import current_app

from store import Store
from store.people import LONGEST_EMAIL, Account, People, digest_of
from webapp.auth import passwords, secrets
from webapp.auth.directory import Directory
from webapp.auth.refusals import TooManyLogins
from webapp.settings import Settings

WINDOW = 300
"""Seconds in which tried log-ins are counted."""

NOBODYS = "$argon2id$v=19$m=65536,t=3,p=4$pu0Jl6c9GSEIi8GFdXCO/g$eTnySZIy8WhasE844bk+YjlOa0Ln7VYytTghPmr45BU"
"""The hash that is checked for an address without an account: to look takes as long as for one that has."""

PER_SOURCE = 5
"""From one place, so many times as often as for one address there."""


class Logins:
    """Counts log-ins for one process, and lets only a few passwords be checked at once: each takes 64 MiB or so."""

    def __init__(self, attempts: int) -> None:
        self._limiter = MovingWindowRateLimiter(MemoryStorage())
        self._limits = {
            "address": RateLimitItemPerSecond(attempts, WINDOW),
            "source": RateLimitItemPerSecond(attempts * PER_SOURCE, WINDOW),
        }
        self.checking = asyncio.Semaphore(2)

    def count(self, email: str, source: str) -> None:
        """Count one more try. Raises TooManyLogins."""
        keys = {"address": (source, email.lower()), "source": (source,)}
        for name, limit in self._limits.items():
            if not self._limiter.hit(limit, name, *keys[name]):
                reset_at, _ = self._limiter.get_window_stats(limit, name, *keys[name])
                raise TooManyLogins(max(1.0, reset_at - time.time()))

    def forgive(self, email: str, source: str) -> None:
        """Somebody who knows the password has not guessed it."""
        self._limiter.clear(self._limits["address"], "address", source, email.lower())


async def log_in(email: str, password: str, source: str | None) -> tuple[Account, str] | None:
    """The account, and the secret of a new session; None if address and password do not belong together.

    `source` is the network address that asks. Raises TooManyLogins.
    """
    email, source = email.strip()[:LONGEST_EMAIL], source or ""
    logins = cast(Logins, current_app.extensions["logins"])
    logins.count(email, source)
    found = await _people().account_by_email(email)
    async with logins.checking:
        right = await asyncio.to_thread(passwords.verify, found[1] if found else NOBODYS, password)
    if found is None or not right or found[0].disabled_at:
        await _audit(found[0].email if found else "nobody", "log_in_failed", source)
        return None
    logins.forgive(email, source)
    if passwords.outdated(found[1]):
        async with logins.checking:
            renewed = await asyncio.to_thread(passwords.hash_of, password)
        await _store().awrite(_people().renew_hash, found[0].account_id, found[1], renewed)
    account, secret = found[0], secrets.new_secret()
    life = timedelta(seconds=cast(Settings, current_app.extensions["settings"]).session_life)
    expires = (datetime.now(UTC) + life).isoformat(timespec="microseconds").replace("+00:00", "Z")
    await _store().awrite(_people().add_session, account.account_id, digest_of(secret), expires)
    await _audit(account.email, "log_in", source)
    return account, secret


async def log_out(digest: str, name: str, source: str | None) -> None:
    """End the session with this digest, for good, in every process."""
    await _store().awrite(_people().end_session, digest)
    await _audit(name, "log_out", source or "")
    await _directory().changed()


async def change_password(account: Account, old: str, new: str, source: str | None) -> bool:
    """Give an account another password, which ends its sessions; False if the old one is not right.

    Raises TooManyLogins, and InvalidEvent for a new one that is too weak.
    """
    logins = cast(Logins, current_app.extensions["logins"])
    logins.count(account.email, source or "")
    found = await _people().account_by_email(account.email)
    async with logins.checking:
        if found is None or not await asyncio.to_thread(passwords.verify, found[1], old):
            await _audit(account.email, "password_change_failed", source or "")
            return False
        hashed = await asyncio.to_thread(passwords.hash_of, new)
    await _store().awrite(_people().set_password, account.account_id, hashed)
    await _audit(account.email, "password_change", source or "")
    await _directory().changed()
    return True


async def _audit(actor: str, action: str, source: str) -> None:
    await _store().awrite(_store().audit, actor, action, source=source or None)


def _store() -> Store:
    return cast(Store, current_app.extensions["store"])


def _people() -> People:
    return cast(Any, _store()).people  # type: ignore[no-any-return]


def _directory() -> Directory:
    return cast(Directory, current_app.extensions["directory"])
