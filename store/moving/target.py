"""Which database may become the target of a move, and how it is prepared."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from signalbox.store.events import new_id
from signalbox.store.moving.errors import MoveRefused
from signalbox.store.moving.side import DatabaseSide
from signalbox.store.moving.tables import ALL, WHOLE
from signalbox.store.sql.moved import MARKS, MOVED_FROM, MOVED_TO, MOVING_FROM, Moved, Moving, mark_in, to_fact
from signalbox.store.urls import without_password

_PROJECTS = WHOLE[0]
_LEFT_BY_SERVERS = ("projects", "consumers", "login_attempts")
"""The tables in which a server leaves rows even if the store is never used."""


def prepare(source: DatabaseSide, target: DatabaseSide, *, start_over: bool) -> Moving:
    """Prepare the target, or find the unfinished move into it. Raises MoveRefused unless the target may be used.

    It may be used if it is new or empty, if this move into it is unfinished, or if the source came from it.
    """
    origin, facts = source.facts(), target.facts()
    epoch = origin["epoch"]
    unfinished, left = mark_in(facts, MOVING_FROM, Moving), mark_in(facts, MOVED_TO, Moved)
    if unfinished is not None and not start_over:
        return _continued(source, unfinished, epoch)
    if unfinished is None and target.exists and not _is_left(left, origin) and not _is_empty(target):
        raise MoveRefused(_why_not(left))
    if left is None:
        target.create()
    _require_same_schema(target, "TO")
    moving = Moving(move=new_id(), url=without_password(source.url), epoch=epoch)
    with target.writing(durable=True):
        if left is not None:
            target.thaw()
        target.empty()
        target.set_facts(dict.fromkeys(MARKS) | {MOVING_FROM: to_fact(moving)})
    return moving


def check_source(source: DatabaseSide) -> None:
    """Raise MoveRefused unless the database is a store of this version that is not a target itself."""
    if not source.exists:
        raise MoveRefused("FROM is not a Signalbox database")
    _require_same_schema(source, "FROM")
    if (unfinished := mark_in(source.facts(), MOVING_FROM, Moving)) is not None:
        raise MoveRefused(f"FROM is the target of an unfinished move from {unfinished.url}; complete that move first")


def _require_same_schema(side: DatabaseSide, name: str) -> None:
    missing, unknown = side.schema()
    if unknown:
        raise MoveRefused(
            f"{name} was written by a newer Signalbox ({', '.join(sorted(unknown))}): use that version for the move"
        )
    if missing:
        raise MoveRefused(
            f"{name} was written by an older Signalbox ({', '.join(sorted(missing))} missing): stop the programs of"
            " that version, open the store once with this version, for example with `signalbox user list`, and run the"
            " command again"
        )


def _continued(source: DatabaseSide, unfinished: Moving, epoch: str) -> Moving:
    if unfinished.epoch != epoch:
        raise MoveRefused(
            f"TO is the target of an unfinished move from another store, {unfinished.url};"
            " complete that move, or discard it with --start-over"
        )
    with source.snapshot():
        newest = source.last_ids()["task_events"]
    if unfinished.position > newest:
        raise MoveRefused(
            f"FROM ends at event {newest}, but TO already has the events up to {unfinished.position}: FROM was replaced"
            " by an older copy. Run the command again with --start-over, which copies everything anew"
        )
    return unfinished


def _is_left(left: Moved | None, origin: Mapping[str, str]) -> bool:
    """Return whether the source came from this target by its last move."""
    came = mark_in(origin, MOVED_FROM, Moved)
    return left is not None and came is not None and left.move == came.move


def _is_empty(target: DatabaseSide) -> bool:
    """Return whether the store has never had a task, and has nothing but the default project."""
    with target.snapshot():
        if any(target.last_ids().values()):
            return False
        projects = list(target.select(_PROJECTS))
        named = [row for row in projects if row[:2] != ("default", "Default") or row[3] is not None]
        return not named and not any(target.count(table) for table in ALL if table.name not in _LEFT_BY_SERVERS)


def _why_not(left: Moved | None) -> str:
    if left is not None:
        return (
            f"TO was itself moved to {without_password(left.url)}, and FROM did not come from it:"
            " choose an empty database as TO"
        )
    return "TO is a store that is not empty, and a move never overwrites it: choose an empty database"


def now() -> str:
    """Return the present time in UTC, to the second."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
