"""Parses days as people write them."""

from datetime import date
from typing import Optional

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


def parse_day(text: str, year: Optional[int] = None) -> date:
    """`2026-11-21`, or `21 nov` of a given year. Raises ValueError."""
    if text.count("-") == 2:
        return date.fromisoformat(text)
    number, _, month = text.partition(" ")
    if year is None or month.lower()[:3] not in MONTHS:
        raise ValueError("%r is no day" % text)
    return date(year, MONTHS.index(month.lower()[:3]) + 1, int(number))


def month_name(day: date) -> str:
    return "%s %d" % (MONTHS[day.month - 1], day.year)
