"""Reads and checks single parameters of a request. Errors name the parameter and its allowed values.

Routes of the API declare their parameters as a struct, which `webapp/http/query_parameters.py` fills.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from quart import request

from signalbox.store.task_query import relative_seconds
from signalbox.webapp.http.bad_request import BadRequest

MAX_SEQ = 2**53 - 1

LAST_EVENT_ID = ("lastEventId", "last_event_id")
"""Parameters with the meaning of the header `Last-Event-ID`."""

_YEAR_ZERO, _LEAP_SECOND = re.compile(r"^0000(?=-)"), re.compile(r"(?<=T\d\d:\d\d):60")
_EARLIEST, _LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def parameter(name: str) -> str | None:
    """Return the text of a parameter, or None if it is absent. Raises BadRequest if it is repeated."""
    texts = request.args.getlist(name)
    if len(texts) > 1:
        raise BadRequest(f"{name} must be given once, not {len(texts)} times", name)
    return texts[0] if texts else None


def choice_parameter(name: str, *choices: str) -> str:
    """Return a parameter that must be one of `choices`, or "" if it is absent."""
    text = parameter(name)
    return parse_choice(name, text, choices) if text else ""


def int_parameter(name: str, default: int, low: int, high: int) -> int:
    """Return a parameter that must be a whole number between `low` and `high`."""
    text = parameter(name)
    return default if text is None else parse_int(name, text, low, high)


def parse_int(name: str, text: str, low: int, high: int) -> int:
    """Parse a whole number between `low` and `high`. Raises BadRequest."""
    if not text.isascii() or not text.removeprefix("-").isdigit() or len(text) > 20 or not low <= int(text) <= high:
        raise BadRequest(f"{name} must be a whole number between {low} and {high}, not {text[:40]!r}", name)
    return int(text)


def parse_float(name: str, text: str, low: float, high: float) -> float:
    """Parse a number between `low` and `high`. Raises BadRequest."""
    try:
        value = float(text) if text.isascii() and "_" not in text else float("nan")
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise BadRequest(f"{name} must be a number between {low:g} and {high:g}, not {text[:40]!r}", name)
    return value


def parse_choice(name: str, text: str, choices: Sequence[str]) -> str:
    """Return `text` if it is one of `choices`. Raises BadRequest."""
    if text not in choices:
        raise BadRequest(f"{name} must be one of {', '.join(choices)}, not {text[:40]!r}", name)
    return text


def last_event_id() -> int | None:
    """Return the id of the last event that the client received, or None for its first stream. Raises BadRequest.

    The header takes precedence over the parameters, which are for clients that cannot set a header.
    """
    texts = [("Last-Event-ID", request.headers.get("Last-Event-ID"))]
    texts += [(name, parameter(name)) for name in LAST_EVENT_ID]
    return first_position(texts)


def first_position(texts: Iterable[tuple[str, str | None]]) -> int | None:
    """Return the first position among `(name, text)` pairs, or None if all are absent. Raises BadRequest."""
    return next((parse_position(name, text) for name, text in texts if text), None)


def parse_position(name: str, text: str) -> int:
    """Parse a position in a stream. Raises BadRequest."""
    if not text.isascii() or not text.isdigit() or len(text) > 16 or int(text) > MAX_SEQ:
        raise BadRequest(f"{name} must be the id of an event of this stream, not {text[:40]!r}", name)
    return int(text)


def flag_parameter(name: str) -> bool:
    """Return whether a parameter is 1. It may be 0 or absent."""
    text = parameter(name)
    return bool(text) and parse_flag(name, text or "")


def parse_flag(name: str, text: str) -> bool:
    """Parse 1 or 0 as a bool. Raises BadRequest."""
    if text not in ("0", "1"):
        raise BadRequest(f"{name} must be 0 or 1, not {text[:40]!r}", name)
    return text == "1"


def parse_time_bound(name: str, text: str) -> str | None:
    """Parse a time bound of a TaskQuery: a time or an age such as 24h. Return None for an empty text."""
    text = text.strip()
    if relative_seconds(text):
        return text
    try:
        return parse_time(name, text)
    except BadRequest:
        allowed = "a time such as 2026-11-21T14:02, or an age from 1m to 99999d, such as 30m, 24h or 7d"
        raise BadRequest(f"{name} must be {allowed}; not {text[:40]!r}", name) from None


def time_parameter(name: str) -> str | None:
    """Return a parameter that is a time, in the form of `created_at`; None if it is absent."""
    return parse_time(name, parameter(name) or "")


def parse_time(name: str, text: str) -> str | None:
    """Parse a time into the form of `created_at`. Return None for an empty text.

    A time without a zone is UTC. A time before the year 1 or after 9999 becomes the first or last possible time.
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
