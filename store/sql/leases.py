"""Leases and the positions of durable consumers. Both are rows of the table `consumers`, one per name."""

from __future__ import annotations

from signalbox.store.contract.leasing import Claim, Fence
from signalbox.store.errors import LeaseLost
from signalbox.store.sql.database import Database
from signalbox.store.times import epoch_seconds, timestamp

_EPOCH = "(SELECT value FROM store_facts WHERE name = 'epoch')"


def claim(db: Database, name: str, holder: str, seconds: float, unchanged: int | None) -> Claim:
    """Take a lease, or renew it, unless another holder has it."""
    (epoch,) = db.execute(f"SELECT {_EPOCH}").fetchone()
    found = db.execute("SELECT epoch, position, holder, expires_at, renewals FROM consumers WHERE name = ?", (name,))
    of_epoch, position, held_by, expires_at, renewals = found.fetchone() or (epoch, 0, None, "", 0)
    if of_epoch != epoch:
        position, held_by = 0, None
    if held_by not in (None, holder) and expires_at > db.now() and renewals != unchanged:
        return Claim(False, position, epoch, renewals)
    db.execute(
        "INSERT INTO consumers (name, epoch, position, holder, expires_at, renewals) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch, position = excluded.position,"
        " holder = excluded.holder, expires_at = excluded.expires_at, renewals = excluded.renewals",
        (name, epoch, position, holder, _from_now(db, seconds), renewals + 1),
    )
    return Claim(True, position, epoch, renewals + 1)


def commit(db: Database, name: str, holder: str, epoch: str, position: int, seconds: float) -> None:
    """Move the position of a consumer and renew its lease. Raises LeaseLost if `holder` does not hold it."""
    moved = db.execute(
        "UPDATE consumers SET position = CASE WHEN position > ? THEN position ELSE ? END, expires_at = ?,"
        f" renewals = renewals + 1 WHERE name = ? AND holder = ? AND epoch = ? AND epoch = {_EPOCH}",
        (position, position, _from_now(db, seconds), name, holder, epoch),
    )
    if not moved.rowcount:
        raise LeaseLost(name)


def release(db: Database, name: str, holder: str, forget: bool) -> None:
    """Release a lease if `holder` holds it, and with `forget` delete its row."""
    change = "DELETE FROM consumers" if forget else "UPDATE consumers SET holder = NULL"
    db.execute(f"{change} WHERE name = ? AND holder = ?", (name, holder))


def check(db: Database, fence: Fence | None) -> None:
    """Raise LeaseLost if there is a fence and its lease has another holder, or belongs to another epoch."""
    if fence is None:
        return
    found = db.execute(f"SELECT holder FROM consumers WHERE name = ? AND epoch = {_EPOCH}", (fence.name,)).fetchone()
    if found is None or found[0] != fence.holder:
        raise LeaseLost(fence.name)


def _from_now(db: Database, seconds: float) -> str:
    return timestamp(epoch_seconds(db.now()) + seconds)
