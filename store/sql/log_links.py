"""Reading a task's log with its links and signed heads, for its verification. The same for every database."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from signalbox.store.chain.heads import SignedHead
from signalbox.store.chain.verification import Claims, Entry
from signalbox.store.events import PEOPLE_EVENTS, Event
from signalbox.store.sql.compressed import as_given
from signalbox.store.sql.rows import COLUMNS, event_of
from signalbox.store.state import ENDED_STATUSES
from signalbox.store.terminal_escapes import plain_json

Query = Callable[[str, tuple[object, ...]], Iterable[Any]]
"""Runs a query with its values, which are marked by `?`, and returns its rows."""

PAGE = 500
"""Events that are read at a time."""

HEAD_COLUMNS = "task_id, identity, seq, link, signed_at, reason, key_id, signature"

CLAIMS = (
    "SELECT t.task_id, c.identity, c.last_seq, {link}, t.status FROM tasks t"
    " JOIN task_event_seq_counters c ON c.task_id = t.task_id WHERE t.task_id = ?"
)


def task_ids(query: Query) -> Iterator[str]:
    """Yield the ids of all tasks."""
    last = ""
    while page := list(query("SELECT task_id FROM tasks WHERE task_id > ? ORDER BY task_id LIMIT ?", (last, PAGE))):
        yield from (str(task_id) for (task_id,) in page)
        last = page[-1][0]


def claims_of(query: Query, task_id: str, *, linked: bool = True) -> Claims | None:
    """Return what the database says about the log of a task, or None if there is no such task.

    Without `linked`, the database has no links, because an earlier version wrote it.
    """
    for row in query(CLAIMS.format(link="t.link" if linked else "NULL"), (task_id,)):
        return claims_in(row)
    return None


def claims_in(row: Sequence[Any]) -> Claims:
    """Return the values of one row of the query `CLAIMS`."""
    found_id, identity, last_seq, link, status = row
    return Claims(str(found_id), str(identity), int(last_seq), as_link(link), status in ENDED_STATUSES)


def entries_of(
    query: Query,
    task_id: str,
    *,
    linked: bool = True,
    derived: str = "plain",
    check: Callable[[str, str, Sequence[Any]], str] | None = None,
) -> Iterator[Entry]:
    """Yield the events of a task by seq, with their links.

    `derived` are columns that are computed from the event. `check` gets its type, its payload and these columns, and
    returns which of them is wrong, or "".
    """
    find_wrong = check or _wrong_plain
    extra = f"link, d.digest, {derived}" if linked else f"NULL, NULL, {derived}"
    marks = (
        " LEFT JOIN redacted_events d ON d.task_id = task_events.task_id AND d.seq = task_events.seq" if linked else ""
    )
    named = ", ".join(f"task_events.{name.strip()}" for name in COLUMNS.split(","))
    sql = (
        f"SELECT {named}, {extra} FROM task_events{marks}"
        " WHERE task_events.task_id = ? AND task_events.seq > ? ORDER BY task_events.seq LIMIT ?"
    )
    width, last = len(COLUMNS.split(",")), 0
    while page := list(query(sql, (task_id, last, PAGE))):
        for row in page:
            event = event_of(row[:width])
            link, digest, *columns = row[width:]
            wrong = find_wrong(event.event_type, str(as_given(row[8])), [as_given(value) for value in columns])
            yield Entry(event, as_link(link), bytes(digest) if digest is not None else None, wrong)
        last = page[-1][2]


def heads_of(query: Query, task_id: str) -> list[SignedHead]:
    """Return the signed heads of a task's log, by seq."""
    return [
        head_of(row)
        for row in query(f"SELECT {HEAD_COLUMNS} FROM signed_heads WHERE task_id = ? ORDER BY seq", (task_id,))
    ]


def head_of(row: Sequence[Any]) -> SignedHead:
    """Return the head of one row with `HEAD_COLUMNS`. A damaged value makes its signature wrong."""
    task_id, identity, seq, link, signed_at, reason, key_id, signature = row
    shown = bytes(link).hex() if isinstance(link, bytes | bytearray | memoryview) else str(link)
    names = [str(value) for value in (task_id, identity, signed_at, reason, key_id, signature)]
    known = msgspec.convert(names[3], str)
    return SignedHead(
        task_id=names[0],
        identity=names[1],
        seq=int(seq),
        link=shown,
        signed_at=names[2],
        reason=known,  # type: ignore[arg-type]  # a damaged reason is kept, so that the signature shows it
        key_id=names[4],
        signature=names[5],
    )


def as_link(stored: object) -> bytes | None:
    """Return a stored link as bytes, or None. A link with another type or size fits no event."""
    if stored is None:
        return None
    return bytes(stored) if isinstance(stored, bytes | bytearray | memoryview) else str(stored).encode()


def _wrong_plain(event_type: str, payload: str, columns: Sequence[Any]) -> str:
    return "" if columns[0] == plain_json(payload) else "its column plain does not fit its payload"


def events_by_person(query: Query, person: str, task_id: str | None = None) -> Iterator[tuple[str, int]]:
    """Yield the task and the seq of each event by a person in the database: see `is_by`."""
    marks = ", ".join("?" * len(PEOPLE_EVENTS))
    where, values = ("TRUE", []) if task_id is None else ("task_id = ?", [task_id])
    sql = (
        f"SELECT {COLUMNS} FROM task_events WHERE event_id > ? AND {where} AND (actor = ? OR event_type IN ({marks}))"
        " ORDER BY event_id LIMIT ?"
    )
    last = 0
    while page := list(query(sql, (last, *values, person, *sorted(PEOPLE_EVENTS), PAGE))):
        for row in page:
            event = event_of(row)
            if is_by(event, person):
                yield event.task_id, event.seq
        last = page[-1][0]


def is_by(event: Event, person: str) -> bool:
    """Return whether an event is by a person: an act in their name, or with them as the actor.

    `person` is the name in the log, such as an e-mail address. It includes the events of the person's tokens.
    """
    by = str(event.payload.get("by", "")) if event.event_type in PEOPLE_EVENTS else ""
    return event.actor == person or by == person or by.startswith(f"{person} (token ")
