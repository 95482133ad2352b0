"""Dropping records of a full spool, and the notices that report them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from signalbox.store.events import new_id
from signalbox.store.spool.records import COLUMNS, DROPPED_FIRST, DROPPED_LAST, DROPPED_NEXT, Dropped, Record
from signalbox.store.times import now

ROOM = 0.95
"""The share of the bound to which a full spool is emptied, so that not every later record drops one."""

_NOT_SENDING = "number > (SELECT sending FROM state)"


def make_room(db: sqlite3.Connection, bound: int) -> None:
    """Drop refused records, then waiting ones: by importance, the oldest first. Records that are being sent stay."""
    excess = grow(db, 0) - int(bound * ROOM)
    excess -= _drop(db, "refused", "1", excess)
    for importance in (DROPPED_FIRST, DROPPED_NEXT, DROPPED_LAST):
        if excess > 0:
            which = f"importance = {importance} AND kind <> 'notice' AND {_NOT_SENDING}"
            excess -= _drop(db, "records", which, excess)
    if excess > 0:
        # Nothing but the notices of many tasks is left.
        _drop(db, "records", f"kind = 'notice' AND {_NOT_SENDING}", excess, report=False)


def grow(db: sqlite3.Connection, size: int) -> int:
    """Add `size` to the bytes of the spool, and return their number."""
    total: int = db.execute("UPDATE state SET bytes = bytes + ? RETURNING bytes", (size,)).fetchone()[0]
    return total


def delete(db: sqlite3.Connection, table: str, rows: Sequence[tuple[int, int]]) -> None:
    """Delete the rows with these pairs of a number and a size."""
    db.executemany(f"DELETE FROM {table} WHERE number = ?", [(number,) for number, _ in rows])
    grow(db, -sum(size for _, size in rows))


def _drop(db: sqlite3.Connection, table: str, which: str, excess: int, *, report: bool = True) -> int:
    """Drop the oldest records until at least `excess` bytes are free, if there are enough. Returns the freed bytes."""
    dropped, freed = [], 0
    sql = f"SELECT number, size, task_id, identity, is_line FROM {table} WHERE {which} ORDER BY number"
    for row in db.execute(sql):
        dropped.append(row)
        freed += row[1]
        if freed >= excess:
            break
    delete(db, table, [(number, size) for number, size, *_ in dropped])
    if table == "records" and report:
        db.execute("UPDATE state SET dropped = dropped + ?", (len(dropped),))
        by_task: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
        for row in dropped:
            by_task.setdefault((row[2], row[3]), []).append(row)
        for (task_id, identity), rows in by_task.items():
            lines = sum(row[4] for row in rows)
            _report(db, task_id, identity, lines, len(rows) - lines, place=rows[-1][0])
    return freed


def _report(db: sqlite3.Connection, task_id: str, identity: str, lines: int, others: int, *, place: int) -> None:
    """Put a notice into the place of the last dropped record of a task, or add the numbers to its earlier notice."""
    at = now()
    notice = Dropped(f"dropped-{new_id()}", lines, others, at, at)
    which = f"kind = 'notice' AND task_id = ? AND identity = ? AND {_NOT_SENDING}"
    sql = f"SELECT number, size, body FROM records WHERE {which}"
    for number, size, body in db.execute(sql, (task_id, identity)).fetchall():
        earlier = msgspec.json.decode(body, type=Dropped)
        total = earlier.lines + lines, earlier.others + others
        place, notice = number, Dropped(earlier.key, *total, earlier.first_at, at)
        delete(db, "records", [(number, size)])
    record = Record("notice", task_id, identity, DROPPED_LAST, False, msgspec.json.encode(notice), place)
    columns = f"{COLUMNS}, number, size"
    db.execute(f"INSERT INTO records ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*record, record.size))
    grow(db, record.size)
