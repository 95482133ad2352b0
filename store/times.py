"""Timestamps: texts in UTC that sort by time, and the check of times that callers give."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from signalbox.store.errors import InvalidEvent

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")
_ZONED = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})"
)
_LEAP_SECOND = re.compile(r"(?<=[T ][0-9]{2}:[0-9]{2}):60")


def now() -> str:
    """Return the present time in UTC: ISO 8601 with microseconds and `Z`."""
    return datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z"


MAX_WAIT_S = 100 * 365 * 86400.0
"""Seconds of a wait from which on it counts as one without a limit: neither a lock nor a calendar has room for more."""


def limited(seconds: float | None) -> float | None:
    """Return the limit of a wait, or None if there is none: for None, infinity and centuries."""
    return None if seconds is None or seconds > MAX_WAIT_S else seconds


def after(life: timedelta, clock_offset: float) -> str:
    """Return the time when something that begins now is over. `clock_offset` is that of the store that compares it."""
    at = datetime.now(UTC) + timedelta(seconds=clock_offset) + life
    return at.isoformat(timespec="microseconds")[:-6] + "Z"


def epoch_seconds(at: str) -> float:
    """Return the seconds from 1970 to a timestamp. Raises ValueError if `at` is not a timestamp."""
    return (datetime.fromisoformat(at) - _EPOCH).total_seconds()


def timestamp(seconds: float) -> str:
    """Return the timestamp `seconds` after 1970, from the first one of the year 1 to the last one of the year 9999."""
    try:
        at = _EPOCH + timedelta(seconds=seconds)
    except OverflowError:
        at = datetime.max if seconds > 0 else datetime.min
    return at.isoformat(timespec="microseconds")[:26] + "Z"


def from_nanoseconds(since_1970: int) -> str | None:
    """Return the timestamp of nanoseconds since 1970, or None for 0, which stands for an unknown time."""
    if since_1970 <= 0:
        return None
    try:
        at = _EPOCH + timedelta(microseconds=since_1970 // 1000)
    except OverflowError:
        return None
    return at.isoformat(timespec="microseconds")[:26] + "Z"


def is_timestamp(text: str) -> bool:
    """Return whether `text` is a time in the format of `now()`, in which texts sort by time."""
    if not _TIME.fullmatch(text):
        return False
    try:
        epoch_seconds(text)
    except ValueError:
        return False
    return True


def check_time(text: str, field: str) -> None:
    """Raise InvalidEvent unless `text` is a timestamp: see `is_timestamp`."""
    if not is_timestamp(text):
        raise InvalidEvent(f"{field} must be a time such as 2026-11-21T14:02:07.000000Z, not {text!r}", field)


def checked_time(given: object, field: str) -> str:
    """Return a time in the format of `now()`. Raises InvalidEvent.

    `given` is ISO 8601 with a date, a time and a zone (`Z` or an offset), such as 2026-11-21T15:02:07+01:00.
    """
    try:
        if not isinstance(given, str) or not _ZONED.fullmatch(given):
            raise ValueError
        if is_timestamp(given):
            return given
        # RFC 3339 allows leap seconds, but datetime does not support them.
        at = datetime.fromisoformat(_LEAP_SECOND.sub(":59", given.upper()))
        return at.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"
    except (ValueError, OverflowError):
        shown = repr(given if isinstance(given, (int, float)) else str(given)[:40])
        allowed = "a time with its zone, such as 2026-11-21T14:02:07Z or 2026-11-21T15:02:07.125+01:00"
        raise InvalidEvent(f"{field} must be {allowed}, not {shown}", field) from None
