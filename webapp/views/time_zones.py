"""The viewer's time zone. Pages are rendered in UTC; `in_zone` then shows their times in the zone of the viewer.

Frames of live pages are shared by viewers of all zones, so they stay in UTC, and `static/js/times.js` does the same to
them in the browser. Both keep the form of a text (`14:02:07.123` stays a time of day with milliseconds) and change only
its zone, so a live page equals a fresh one.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, tzinfo
from functools import lru_cache
from urllib.parse import unquote
from zoneinfo import ZoneInfo, available_timezones

from signalbox.webapp.views.text import day_name

MAX_ZONE_CHARS = 64
COOKIE = "signalbox_zone"
"""The cookie with the zone: `Europe/Berlin` if the viewer selected it, `auto:Europe/Berlin` if the browser did."""

_TIME = (
    r'<(time|relative-time|due-time|option)\b{unless}([^>]*?) ((?:data-)?datetime)="([^"]+)"'
    r'(?: data-appended="([^"]+)")?(?: title="[^"]* UTC")?([^>]*)>([^<]*)<'
)
_EVERY_TIME = re.compile(_TIME.format(unless=""))
_UNTITLED_TIME = re.compile(_TIME.format(unless='(?![^>]* title="[^"]* UTC")'))
"""Matches times without a title in UTC. The rows of a log have one, and they are the most."""

_STORED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
"""A timestamp as the store writes it."""

_FIELD = re.compile(r'<input type="hidden" name="zone" value="UTC">| data-at="([^"]+)" value="[^"]*"')
_CLOCK = re.compile(r"(\d{4}-)?(\d\d-\d\d )?\d\d:\d\d:\d\d(\.\d{3})?")
_ROW = re.compile(
    r'(<ol\b[^>]*\bclass="rows"[^>]*>)'
    r'|(<li id="[^"]*" class="row[^"]*"[^>]*>)(?:<span class="day"[^>]*>[^<]*</span>)?'
    r'(?=(?:<a class="turn[^>]*></a>)?<time\b[^>]*? datetime="([^"]+)"(?: data-appended="([^"]+)")?)'
)


class Zone:
    """A time zone. `name` is its IANA name, such as `Europe/Berlin`."""

    def __init__(self, name: str, info: tzinfo) -> None:
        self.name = name
        self._info = info

    def local(self, at: str) -> str:
        """Return a timestamp of the store as ISO text in this zone: `2026-11-21T15:02:07.123`. Raises ValueError."""
        if self._info is UTC and _STORED.fullmatch(at):
            return at[:23]
        return self._at(at).isoformat(timespec="milliseconds")[:23]

    def offset(self, at: str) -> str:
        """Return the difference from UTC at a time: `UTC`, `GMT+1`, `GMT+5:45`. Raises ValueError."""
        ahead = self._at(at).utcoffset()
        seconds = int(ahead.total_seconds()) if ahead else 0
        hours, minutes = divmod(abs(seconds) // 60, 60)
        sign = "-" if seconds < 0 else "+"
        return f"GMT{sign}{hours}{f':{minutes:02}' if minutes else ''}" if seconds else "UTC"

    @lru_cache(maxsize=4096)  # noqa: B019 - zones are few and live as long as the process
    def _at(self, at: str) -> datetime:
        moment = datetime.fromisoformat(at)
        moment = moment.replace(tzinfo=moment.tzinfo or UTC)
        try:
            return moment.astimezone(self._info)
        except OverflowError:
            return moment  # The zone has only the years 1 to 9999.

    def utc(self, local: str) -> datetime:
        """Return a local time without a zone as a time in UTC. Of two equal local times it is the first one."""
        return datetime.fromisoformat(local).replace(tzinfo=self._info).astimezone(UTC)


UTC_ZONE = Zone("UTC", UTC)


@lru_cache(maxsize=64)
def zone_named(name: str) -> Zone | None:
    """Return the zone with this name; None if there is none."""
    if name == "UTC":
        return UTC_ZONE
    if len(name) > MAX_ZONE_CHARS or name not in zone_names():
        return None
    return Zone(name, ZoneInfo(name))


@lru_cache(maxsize=1)
def zone_names() -> frozenset[str]:
    """Return the names of all zones."""
    return frozenset(name for name in available_timezones() if name != "localtime")


def zone_of_cookie(value: str | None) -> Zone:
    """Return the zone that the cookie names; UTC without one."""
    return zone_named(unquote(value or "").removeprefix("auto:")) or UTC_ZONE


def in_zone(html: str, zone: Zone) -> str:
    """Return a page with its times and its forms for times in `zone`, and the whole time in the title of each."""
    page = (_UNTITLED_TIME if zone is UTC_ZONE else _EVERY_TIME).sub(lambda found: _time_in(found, zone), html)
    return page if zone is UTC_ZONE else _with_days(_FIELD.sub(lambda found: _field_in(found, zone), page), zone)


def _field_in(found: re.Match[str], zone: Zone) -> str:
    """Return the fields of a form for a time: the zone, and a time in it as `datetime-local` has it."""
    if found[1] is None:
        return f'<input type="hidden" name="zone" value="{zone.name}">'
    return f' data-at="{found[1]}" value="{zone.local(found[1])[:19]}"'


def _time_in(found: re.Match[str], zone: Zone) -> str:
    tag, before, attribute, at, appended, after, text = found.groups()
    try:
        local = zone.local(at)
        title = whole_time(at, zone) + (f", appended {whole_time(appended, zone)}" if appended else "")
        if appended and zone is not UTC_ZONE:
            text = late_time(local, zone.local(appended))
    except ValueError:
        return found[0]
    if zone is not UTC_ZONE and not appended:
        text = _CLOCK.sub(lambda clock: _in_form(local, *clock.groups()), text)
    late = f' data-appended="{appended}"' if appended else ""
    titled = "" if "title=" in before + after else f' title="{title}"'
    return f'<{tag}{before} {attribute}="{at}"{late}{after}{titled}>{text}<'


def late_time(happened: str, appended: str) -> str:
    """Return the text of the time of an event that happened before its append, both as ISO text in one zone.

    It is the time of day, with the date if that is another: `11-21 14:02:07`; the date alone if the year is another.
    """
    if happened[:10] == appended[:10]:
        return happened[11:23]
    return f"{happened[5:10]} {happened[11:19]}" if happened[:4] == appended[:4] else happened[:10]


def _in_form(local: str, year: str | None, date: str | None, milliseconds: str | None) -> str:
    day = f"{local[:10]} " if year else f"{local[5:10]} " if date else ""
    return f"{day}{local[11:]}" if milliseconds else f"{day}{local[11:19]}"


def whole_time(at: str, zone: Zone) -> str:
    """Return a time in UTC and in the zone: `2026-11-21 14:02:07.123 UTC, 2026-11-21 15:02:07 GMT+1`."""
    utc = UTC_ZONE.local(at)
    text = f"{utc[:10]} {utc[11:]} UTC"
    offset = "UTC" if zone is UTC_ZONE else zone.offset(at)
    if offset == "UTC":
        return text
    local = zone.local(at)
    return f"{text}, {local[:10]} {local[11:19]} {offset}"


def _with_days(page: str, zone: Zone) -> str:
    """Mark the first row of each day of the zone, as `log-days.js` does."""
    last = ""

    def mark(found: re.Match[str]) -> str:
        nonlocal last
        if found[1]:
            last = ""
            return found[0]
        try:
            day = zone.local(found[4] or found[3])[:10]
        except ValueError:
            return found[0]
        if day == last:
            return found[2]
        last = day
        return f'{found[2]}<span class="day" data-volatile data-day="{day}">{day_name(day)}</span>'

    return _ROW.sub(mark, page)
