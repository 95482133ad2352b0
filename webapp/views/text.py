"""Values as text on a page. Pure functions: a value reads the same at any time and for any reader."""

from __future__ import annotations

import re
import shlex
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache

import msgspec

from signalbox.store.terminal_escapes import plain

LONG = 300
"""Characters of JSON beyond which a payload is folded."""

MAX_DISPLAY_CHARS = 2000
"""Characters of one value on a page. The page of the event shows the whole value."""

MAX_INDENTED_BYTES = 50_000
"""JSON over this size is not indented, which can make nested values a hundred times longer."""

CONTROLS = "\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069"
"""Controls other than tab and line feed, and the bidirectional ones that make a text look like another."""

_CONTROL = re.compile(f"[{CONTROLS}]")
HUGE = 10**21
"""The first number whose digits are not all shown."""

RULE_CHARS = 8
_RULE = re.compile(rf"([=_*#~─━-])\1{{{RULE_CHARS},}}")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
_encoder = msgspec.json.Encoder()
_ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


def clean(text: str) -> str:
    """Return `text` with visible control characters, which can neither break a line nor hide text."""
    if not _CONTROL.search(text):
        return text
    return _CONTROL.sub(_picture, text.replace("\r\n", "\n"))


def _picture(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else "\u2421" if code == 0x7F else "\ufffd"


def display_text(value: object, limit: int = MAX_DISPLAY_CHARS) -> str:
    """Return a payload's value as text of at most `limit` characters: text as it is, None as "", the rest as JSON."""
    if isinstance(value, str):
        return cut(plain(value[: 2 * limit]), limit, len(value)) if len(value) > limit else plain(value)
    return "" if value is None else cut(compact(value), limit)


def command_line(value: object) -> str:
    """Return a command as typed into a shell. A value that is not a list of words is formatted by `display_text`."""
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return display_text(shlex.join(value))
    return display_text(value)


def cut(text: str, limit: int, whole: int = 0) -> str:
    """Return `text` cut to `limit` characters, with the number of the others. `whole` is its original length."""
    left = (whole or len(text)) - limit
    return text if len(text) <= limit and left <= 0 else f"{text[:limit]}… ({count(max(left, 1))} more characters)"


def short_rules(text: str) -> str:
    """Return a text in which rules such as `=====`, which fill the width of a terminal, have RULE_CHARS characters."""
    return _RULE.sub(r"\1" * RULE_CHARS, text)


def first_upper(text: str) -> str:
    """Return a text that begins with a capital letter. Unlike `str.capitalize` it keeps the case of the others."""
    return text[:1].upper() + text[1:]


def size(number: int) -> str:
    """Format a number of bytes: 1 byte, 850 bytes, 195 KB, 1.2 MB, 3.4 GB."""
    if number < 1000:
        return plural(number, "byte")
    if number < 999_500:
        return f"{number / 1000:.0f} KB"
    return f"{number / 1e6:.1f} MB" if number < 999_950_000 else f"{number / 1e9:.1f} GB"


def compact(value: object) -> str:
    """Return `value` as one line of JSON."""
    return _encoder.encode(value).decode()


def indented(value: object) -> str:
    """Return `value` as JSON with a line for each item, or on one line if that makes it much shorter."""
    short = _encoder.encode(value)
    if len(short) > MAX_INDENTED_BYTES:
        return short.decode()
    long = msgspec.json.format(short, indent=2)
    return (long if len(long) <= 4 * len(short) + 1000 else short).decode()


def clock(at: str) -> str:
    """Return the time of day of a timestamp: 14:02:07.123."""
    return at[11:23]


@lru_cache(maxsize=256)
def day_name(day: str) -> str:
    """Format a date: Tuesday 24 November 2026 for 2026-11-24. A text that is not a date is returned unchanged."""
    try:
        at = date.fromisoformat(day)
    except ValueError:
        return day
    return f"{_WEEKDAYS[at.weekday()]} {at.day} {_MONTHS[at.month - 1]} {at.year}"


def date_of(at: str, today: str = "") -> str:
    """Format the date of a timestamp: 3 Nov, or 3 Nov 2025 unless `today` is a timestamp of the same year."""
    if not _ISO.match(at):
        return at
    day = f"{int(at[8:10])} {_MONTHS[int(at[5:7]) - 1][:3]}"
    return day if at[:4] == today[:4] else f"{day} {at[:4]}"


def moment(at: str) -> str:
    """Format a timestamp: 2026-11-21 14:02:07. A text in another form is returned unchanged.

    It is in UTC. On a page it belongs in a `<time>`, which `views.time_zones` shows in the zone of the viewer.
    """
    return f"{at[:10]} {at[11:19]}" if _ISO.match(at) and at.endswith("Z") else at


def seconds(start: str, end: str) -> float:
    """Return the seconds from one timestamp to another, never negative; 0 if one of them is not valid."""
    try:
        return max(0.0, (datetime.fromisoformat(end) - datetime.fromisoformat(start)).total_seconds())
    except (ValueError, TypeError):
        return 0.0


def between(start: str, end: str) -> str:
    """Format the time from one timestamp to another: 850 ms, 3.2 s, 4 m 12 s."""
    return precise(seconds(start, end))


def precise(elapsed: float) -> str:
    """Format seconds of which the fractions matter: 850 ms, 3.2 s, 4 m 12 s."""
    if elapsed < 0.9995:
        return f"{elapsed * 1000:.0f} ms"
    return f"{elapsed:.1f} s" if elapsed < 9.95 else duration(elapsed)


def elapsed(start: str, end: str) -> str:
    """Format the same time in whole units, as a running clock counts them: 3 s, 4 m 12 s, 2 h 03 m."""
    return duration(seconds(start, end))


def offset(elapsed: float) -> str:
    """Format seconds as a label of an axis: 0, 850 ms, 3.2 s, 4 m 12 s."""
    if elapsed < 0.0005:
        return "0"
    if elapsed < 0.9995:
        return f"{elapsed * 1000:.0f} ms"
    return f"{elapsed:.3g} s" if elapsed < 59.95 else duration(elapsed)


def exact_offset(elapsed: float, step: float) -> str:
    """Format seconds as `offset` does, with enough digits to tell labels `step` seconds apart: 12.345 s, 1 m 02.5 s."""
    if elapsed < 1 and step >= 0.001:
        return offset(elapsed)
    digits = next((digits for digits in range(7) if step >= 0.9999 * 10**-digits), 6)
    if not digits:
        return offset(elapsed) if elapsed < 10 else duration(elapsed)
    minutes, rest = divmod(round(elapsed, digits), 60)
    if not minutes:
        return f"{rest:.{digits}f} s"
    return f"{duration(minutes * 60).removesuffix(' 00 s')} {rest:0{3 + digits}.{digits}f} s"


def duration(elapsed: float) -> str:
    """Format seconds: 7 s, 4 m 12 s, 2 h 03 m, 3 d 7 h."""
    s = int(elapsed)
    if s < 60:
        return f"{s} s"
    if s < 3600:
        return f"{s // 60} m {s % 60:02} s"
    if s < 86400:
        return f"{s // 3600} h {s // 60 % 60:02} m"
    return f"{s // 86400} d {s // 3600 % 24} h"


def count(number: float) -> str:
    """Format a number: 1,523, 2.5 if it is not whole, 0.00123 if it is small, 1.2e+30 if it is huge."""
    if abs(number) >= HUGE:
        return f"{Decimal(number):.3g}"
    if number == int(number):
        return f"{int(number):,}"
    return f"{number:.3g}" if abs(number) < 1 else f"{number:,.2f}".rstrip("0").rstrip(".")


def percent(number: float) -> str:
    """Format a percentage: 61 %. A number below 100 is never rounded to 100 %."""
    return f"{min(int(number), 99) if number < 100 else 100} %"


def plural(number: int, word: str) -> str:
    """Format a number with its noun: 1 event, 2 events."""
    return f"{count(number)} {word}{'' if number == 1 else 's'}"
