"""Single parameters of a request, checked: an error names the parameter and what it may be.

Routes of the API declare their parameters as a struct; `webapp/http/query_parameters.py` fills it by these functions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from quart import request

from signalbox.store.task_list import ago
from signalbox.webapp.http.bad_request import BadRequest

MAX_SEQ = 2**53 - 1

LAST_EVENT_ID = ("lastEventId", "last_event_id")
"""Parameters that count like the header `Last-Event-ID`."""

_YEAR_ZERO, _LEAP_SECOND = re.compile(r"^0000(?=-)"), re.compile(r"(?<=T\d\d:\d\d):60")
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def given(name: str) -> str | None:
    """The text of a parameter, None without it. Raises BadRequest for one that is repeated."""
    texts = request.args.getlist(name)
    if len(texts) > 1:
        raise BadRequest(f"{name} must be given once, not {len(texts)} times", name)
    return texts[0] if texts else None


def word(name: str, *choices: str) -> str:
    """A text that is one of `choices`, "" without it."""
    text = given(name)
    return choice_of(name, text, choices) if text else ""


def whole(name: str, default: int, low: int, high: int) -> int:
    """A whole number between `low` and `high`."""
    text = given(name)
    return default if text is None else whole_of(name, text, low, high)


def whole_of(name: str, text: str, low: int, high: int) -> int:
    """The whole number between `low` and `high` that a text has."""
    if not text.isascii() or not text.removeprefix("-").isdigit() or len(text) > 20 or not low <= int(text) <= high:
        raise BadRequest(f"{name} must be a whole number between {low} and {high}, not {text[:40]!r}", name)
    return int(text)


def number_of(name: str, text: str, low: float, high: float) -> float:
    """The number between `low` and `high` that a text has."""
    try:
        value = float(text) if text.isascii() and "_" not in text else float("nan")
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise BadRequest(f"{name} must be a number between {low:g} and {high:g}, not {text[:40]!r}", name)
    return value


def choice_of(name: str, text: str, choices: Sequence[str]) -> str:
    """A text that is one of `choices`."""
    if text not in choices:
        raise BadRequest(f"{name} must be one of {', '.join(choices)}, not {text[:40]!r}", name)
    return text


def last_event_id() -> int | None:
    """Where the client's stream broke off, None if it is its first. Raises BadRequest.

    The header wins over the parameters, which clients use that cannot set a header.
    """
    texts = [("Last-Event-ID", request.headers.get("Last-Event-ID"))]
    texts += [(name, given(name)) for name in LAST_EVENT_ID]
    return position_in(texts)


def position_in(texts: Iterable[tuple[str, str | None]]) -> int | None:
    """The first position that is given, as `(name, text)`; None without one. Raises BadRequest, which names it."""
    return next((position_of(name, text) for name, text in texts if text), None)


def position_of(name: str, text: str) -> int:
    """The position in a stream that a text has."""
    if not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > MAX_SEQ:
        raise BadRequest(f"{name} must be the id of an event of this stream, not {text[:40]!r}", name)
    return int(text)


def flag(name: str) -> bool:
    """Whether a parameter is 1; it may be 0 or left out."""
    text = given(name)
    return bool(text) and flag_of(name, text or "")


def flag_of(name: str, text: str) -> bool:
    """Whether a text is 1; it may be 0."""
    if text not in ("0", "1"):
        raise BadRequest(f"{name} must be 0 or 1, not {text[:40]!r}", name)
    return text == "1"


def since_when(name: str, text: str) -> str | None:
    """A bound of a TaskQuery: a time in the form of `created_at`, or how long ago; None for an empty text."""
    text = text.strip()
    if ago(text):
        return text
    try:
        return instant_of(name, text)
    except BadRequest:
        allowed = "a time such as 2026-11-21T14:02, or how long ago, from 1m to 99999d, such as 30m, 24h or 7d"
        raise BadRequest(f"{name} must be {allowed}; not {text[:40]!r}", name) from None


def instant(name: str) -> str | None:
    """A time in the form of `created_at`; None without one."""
    return instant_of(name, given(name) or "")


def instant_of(name: str, text: str) -> str | None:
    """A time in the form of `created_at`; None for an empty text.

    A time without a zone is UTC. A time before the year 1 or after 9999 becomes the first or the last one there is.
    """
    text = text.strip()
    if not text:
        return None
    try:
        # RFC 3339 allows the year 0 and leap seconds, which datetime does not. The year 4 has the days of the year 0.
        at = datetime.fromisoformat(_LEAP_SECOND.sub(":59", _YEAR_ZERO.sub("0004", text.upper())))
    except (ValueError, OverflowError):
        raise BadRequest(f"{name} must be a time such as 2026-11-21T14:02, not {text[:40]!r}", name) from None
    try:
        at = at.replace(tzinfo=at.tzinfo or UTC).astimezone(UTC)
    except OverflowError:
        at = _EARLIEST if at.year < 5000 else _LATEST
    return at.isoformat(timespec="microseconds")[:-6] + "Z"
