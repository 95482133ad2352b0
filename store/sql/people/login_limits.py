"""The limits on log-ins, which count the attempts of all processes on a store."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store.people import PLACE_LIFE, LoginBudget
from signalbox.store.sql.database import Database
from signalbox.store.sql.people.base import Audit, Tables
from signalbox.store.times import epoch_seconds, now

CLOCK_STEP = 1.0
"""Seconds by which an attempt may be in the future. A later one is from before the clock was set back."""

_DELETE_ATTEMPT = "DELETE FROM login_attempts WHERE attempt_id = ?"


class LoginLimits(Tables):
    """Implements the limits on log-ins of `People`."""

    async def astart_login(self, attempt_id: str, budgets: Sequence[LoginBudget]) -> float | None:
        return await self._write(lambda db, _: _start(db, attempt_id, budgets), None, None, counted=False)

    async def awithdraw_login(self, attempt_id: str) -> None:
        def work(db: Database, audit: Audit) -> None:
            db.execute(_DELETE_ATTEMPT, (attempt_id,))

        await self._write(work, None, None, counted=False)

    async def afinish_login(self, attempt_id: str, budget: str, place: str) -> None:
        def work(db: Database, audit: Audit) -> None:
            at = epoch_seconds(db.now())
            db.execute(_DELETE_ATTEMPT, (attempt_id,))
            db.execute("DELETE FROM login_attempts WHERE budget = ?", (budget,))
            db.execute("DELETE FROM login_places WHERE at <= ?", (at - PLACE_LIFE,))
            remember = "INSERT INTO login_places (place, at) VALUES (?, ?) ON CONFLICT (place) DO UPDATE SET at = ?"
            db.execute(remember, (place, at, at))

        await self._write(work, None, None, counted=False)

    async def known_place(self, place: str) -> bool:
        since = epoch_seconds(now()) - PLACE_LIFE
        return bool(await self._rows("SELECT 1 FROM login_places WHERE place = ? AND at > ?", place, since))


def _start(db: Database, attempt_id: str, budgets: Sequence[LoginBudget]) -> float | None:
    at = epoch_seconds(db.now())
    db.execute("DELETE FROM login_attempts WHERE expires_at <= ? OR at > ?", (at, at + CLOCK_STEP))
    for name, limit, _ in budgets:
        counted, first = db.execute(
            "SELECT count(*), min(expires_at) FROM login_attempts WHERE budget = ?", (name,)
        ).fetchone()
        if counted >= limit:
            return max(1.0, float(first) - at)
    for name, _, window in budgets:
        db.execute(
            "INSERT INTO login_attempts (attempt_id, budget, at, expires_at) VALUES (?, ?, ?, ?)",
            (attempt_id, name, at, at + window),
        )
    return None
