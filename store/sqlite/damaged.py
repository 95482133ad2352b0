"""Rows that were damaged: written by hand, by a faulty disk or by an older version. Each affects itself alone.

An event that cannot be read is one whose payload says so. A task that cannot be read is listed as such, keeps its log
and can be deleted. Other rows lose the fields that cannot be read, or are left out.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, TypeVar, cast

import msgspec

from signalbox.store.events import MAX_DEPTH, depth_of, now
from signalbox.store.state import Task

UNREADABLE = "the stored state of this task cannot be read; its log can"
TASK_COLUMNS = ", ".join(
    [f"CAST({name} AS BLOB)" for name in ("task_id", "title", "kind", "project_id", "created_at", "updated_at")]
    + ["CAST(archived_at AS BLOB)", "(SELECT last_seq FROM task_event_seq_counters c WHERE c.task_id = tasks.task_id)"]
)
"""What `damaged_task` takes of a row of `tasks`."""

_SHOWN = 1000
"""Characters of a damaged payload that are shown."""

_SHOWN_ONLY = frozenset(
    ("title", "metadata", "progress", "message", "error", "exit_code", "runner_pid", "runner_version", "activity")
)
"""The fields of a task that nothing is decided by."""

_sound = msgspec.json.Decoder(msgspec.Raw)

S = TypeVar("S")


def is_damage(error: sqlite3.DatabaseError) -> bool:
    """Whether SQLite found a part of the file that cannot be right."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def is_not_text(error: sqlite3.DatabaseError) -> bool:
    """Whether a question failed because a stored text is not UTF-8: Python's module gives no code for it."""
    return str(error).startswith("Could not decode to UTF-8")


def lenient(stored: bytes) -> str:
    """A stored text with a mark for whatever is not UTF-8: a `text_factory`."""
    return stored.decode("utf-8", "replace")


def payload_of(stored: object) -> str:
    """The payload as it is stored if it is a JSON object, else one that tells what is wrong with it."""
    if isinstance(stored, str):
        try:
            _sound.decode(stored)
            if not stored.lstrip().startswith("{"):
                why = "is not a JSON object"
            elif depth_of(stored) > MAX_DEPTH:
                why = f"is nested more than {MAX_DEPTH} levels deep"
            else:
                return stored
        except (msgspec.DecodeError, RecursionError):
            why = "is not valid JSON"
    else:
        why = "is not text"
    told = {"message": f"this event cannot be read: its stored payload {why}", "unreadable": _text(stored)[:_SHOWN]}
    return msgspec.json.encode(told).decode()


def texts(row: Sequence[Any], whole: frozenset[int]) -> list[Any]:
    """A row whose values have the types that its columns need; `whole` are the places of the whole numbers."""
    return [_whole(value) if place in whole else _text_or_none(value) for place, value in enumerate(row)]


def damaged_task(row: Sequence[Any]) -> Task:
    """What stands for a task that cannot be read, from its row's `TASK_COLUMNS`."""
    task_id, title, kind, project_id, created_at, updated_at, archived_at, last_seq = row
    created = _text(created_at) or now()
    return Task(
        task_id=_text(task_id),
        title=_text_or_none(title),
        kind=_text_or_none(kind),
        project_id=_text(project_id),
        created_at=created,
        updated_at=_text(updated_at) or created,
        main_span_id="",
        status="interrupted",
        error=UNREADABLE,
        archived_at=_text_or_none(archived_at),
        latest_seq=_whole(last_seq),
        unreadable=True,
    )


def detail_of(stored: object) -> dict[str, Any]:
    """The detail of an audit."""
    detail: dict[str, Any] = msgspec.json.decode(payload_of(stored))
    return detail


def salvaged(kind: type[S], stored: object) -> S | None:
    """A value without those of its optional fields that cannot be read; None if others cannot either."""
    try:
        given = msgspec.json.decode(stored if isinstance(stored, str | bytes) else b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(given, dict):
        return None
    kept = {}
    for field in msgspec.structs.fields(cast(Any, kind)):
        if field.encode_name not in given:
            continue
        try:
            kept[field.encode_name] = msgspec.convert(given[field.encode_name], field.type)
        except (msgspec.ValidationError, RecursionError):
            if field.required or (kind is Task and field.name not in _SHOWN_ONLY):
                return None
    try:
        return kind(**kept)
    except TypeError:
        return None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else "" if value is None else str(value)


def _text_or_none(value: object) -> str | None:
    return None if value is None else _text(value)


def _whole(value: object) -> int:
    return value if isinstance(value, int) else 0
