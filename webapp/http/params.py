"""Query parameters, checked: a wrong one is named together with its bounds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from quart import request

from signalbox.store.tasklist import ago
from signalbox.webapp.http.bad_request import BadRequest

MAX_SEQ = 2**53 - 1

LAST_EVENT_ID = ("lastEventId", "last_event_id")
"""Parameters that count like the header `Last-Event-ID`."""


def whole(name: str, default: int, low: int, high: int) -> int:
    """A whole number between `low` and `high`."""
    text = request.args.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.removeprefix("-").isdigit() or len(text) > 20 or not low <= int(text) <= high:
        raise BadRequest(f"{name} must be a whole number between {low} and {high}, not {text[:40]!r}", name)
    return int(text)


def number(name: str, default: float, low: float, high: float) -> float:
    """A number between `low` and `high`."""
    text = request.args.get(name)
    if text is None:
        return default
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise BadRequest(f"{name} must be a number between {low:g} and {high:g}, not {text[:40]!r}", name)
    return value


def since_seq() -> int:
    """Where a stream starts, exclusive: `Last-Event-ID` in any of its forms wins over `since_seq`."""
    last = last_event_id()
    return whole("since_seq", 0, 0, MAX_SEQ) if last is None else last


def last_event_id() -> int | None:
    """Where the client's stream broke off, None if it is its first. Raises BadRequest.

    The header wins over the parameters, which clients use that cannot set a header.
    """
    given = [("Last-Event-ID", request.headers.get("Last-Event-ID"))]
    given += [(name, request.args.get(name)) for name in LAST_EVENT_ID]
    return position_in(given)


def position_in(given: Iterable[tuple[str, str | None]]) -> int | None:
    """The first position that is given, as `(name, text)`; None without one. Raises BadRequest, which names it."""
    for name, text in given:
        if text:
            if not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > MAX_SEQ:
                raise BadRequest(f"{name} must be the id of an event of this stream, not {text[:40]!r}", name)
            return int(text)
    return None


def flag(name: str) -> bool:
    """Whether a parameter is 1; it may be 0 or left out."""
    text = request.args.get(name, "")
    if text not in ("", "0", "1"):
        raise BadRequest(f"{name} must be 0 or 1, not {text[:40]!r}", name)
    return text == "1"


def since_when(name: str) -> str | None:
    """A bound of a TaskQuery: a time in the form of `created_at`, or how long ago."""
    text = request.args.get(name, "").strip()
    if ago(text):
        return text
    try:
        return instant(name)
    except BadRequest:
        allowed = "a time such as 2026-11-21T14:02, or how long ago, from 1m to 99999d, such as 30m, 24h or 7d"
        raise BadRequest(f"{name} must be {allowed}; not {text[:40]!r}", name) from None


def instant(name: str) -> str | None:
    """A time in the form of `created_at`; one that names no zone is UTC."""
    text = request.args.get(name, "").strip()
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
        at = at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequest(f"{name} must be a time such as 2026-11-21T14:02, not {text[:40]!r}", name) from None
    return at.isoformat(timespec="microseconds")[:-6] + "Z"
