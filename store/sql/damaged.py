"""Reading damaged rows, which were written by hand, by a faulty disk or by an older version.

A damaged row never affects another row. An unreadable event gets a payload that says so. An unreadable task is listed
as unreadable, keeps its log and can be deleted. Other rows lose their unreadable fields, or are left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar, cast

import msgspec

from signalbox.store.events import MAX_DEPTH, depth_of
from signalbox.store.sql.compressed import is_compressed
from signalbox.store.state import Hold, Task, Unfinished
from signalbox.store.times import now

UNREADABLE = "the stored state of this task cannot be read; its log can"
_MAX_SHOWN_CHARS = 1000
"""A damaged payload is shown up to this many characters."""

_DISPLAY_FIELDS = frozenset(
    (
        "title",
        "metadata",
        "progress",
        "message",
        "error",
        "exit_code",
        "runner_pid",
        "runner_version",
        "activity",
        "trace",
    )
)
"""The fields of a task that are only displayed, so a task is usable without them."""

_json_check = msgspec.json.Decoder()
_seqs = msgspec.json.Decoder(list[int])
_unfinished = msgspec.json.Decoder(list[Unfinished])

S = TypeVar("S")


def text_or_nothing(stored: object) -> str:
    """Return a stored text, or "" if damage has left a value of another type."""
    return stored if isinstance(stored, str) else ""


def seqs_of(stored: object) -> list[int]:
    """Return a stored JSON list of seqs, or an empty list if there is none or it is damaged."""
    return _list_of(_seqs, stored)


def unfinished_of(stored: object) -> list[Unfinished]:
    """Return the stored unfinished lines, or none if they are damaged."""
    return _list_of(_unfinished, stored)


def _list_of(decoder: msgspec.json.Decoder[list[S]], stored: object) -> list[S]:
    if not stored or not isinstance(stored, str):
        return []
    try:
        return decoder.decode(stored)
    except msgspec.MsgspecError:
        return []


def payload_of(stored: object) -> str:
    """Return the stored payload if it is a valid JSON object, else a payload that says what is wrong with it."""
    if isinstance(stored, str):
        try:
            _json_check.decode(stored)
            if not stored.lstrip().startswith("{"):
                reason = "is not a JSON object"
            elif depth_of(stored) > MAX_DEPTH:
                reason = f"is nested more than {MAX_DEPTH} levels deep"
            else:
                return stored
        except (msgspec.DecodeError, RecursionError) as error:
            out_of_range = "out of range" in str(error)
            reason = "has a number out of range" if out_of_range else "is not valid JSON"
    else:
        reason = "is compressed, and damaged" if is_compressed(stored) else "is not text"
    message = f"this event cannot be read: its stored payload {reason}"
    return msgspec.json.encode({"message": message, "unreadable": _text(stored)[:_MAX_SHOWN_CHARS]}).decode()


def texts(row: Sequence[Any], integer_columns: frozenset[int]) -> list[Any]:
    """Return the row with its values as integers at the indexes `integer_columns`, else as texts."""
    return [_integer(value) if index in integer_columns else _text_or_none(value) for index, value in enumerate(row)]


def damaged_task(row: Sequence[Any]) -> Task:
    """Return a placeholder for a task whose state cannot be read, from the `task_list.damaged_columns` of its row."""
    task_id, title, kind, project_id, created_at, updated_at, archived_at, hold, last_seq, identity = row
    created = _text(created_at) or now()
    return Task(
        task_id=_text(task_id),
        identity=_text(identity),
        title=_text_or_none(title),
        kind=_text_or_none(kind),
        project_id=_text(project_id),
        created_at=created,
        updated_at=_text(updated_at) or created,
        main_span_id="",
        status="interrupted",
        error=UNREADABLE,
        archived_at=_text_or_none(archived_at),
        hold=hold_of(hold),
        latest_seq=_integer(last_seq),
        unreadable=True,
    )


def hold_of(stored: Any) -> Hold | None:
    """Decode the hold of a task. A damaged hold still holds the task."""
    if not stored:
        return None
    try:
        return msgspec.json.decode(stored, type=Hold)
    except (msgspec.DecodeError, UnicodeDecodeError, TypeError):
        return Hold(at="", by="somebody", reason="the stored reason is damaged")


def detail_of(stored: object) -> dict[str, Any]:
    """Decode the detail of an audit. A damaged detail says what is wrong with it."""
    detail: dict[str, Any] = msgspec.json.decode(payload_of(stored))
    return detail


def salvage(kind: type[S], stored: object) -> S | None:
    """Decode a value without its unreadable optional fields. Return None if a required field is unreadable."""
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
            if field.required or (kind is Task and field.name not in _DISPLAY_FIELDS):
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


def _integer(value: object) -> int:
    return value if isinstance(value, int) else 0
