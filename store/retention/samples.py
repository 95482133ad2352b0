"""The daily samples of the space that the store takes, and the forecast of when the disk will be full."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec

WINDOW_DAYS = 30
"""The growth per day is that of this many days, or of fewer if there are no older samples."""

MIN_DAYS = 3
"""With samples of fewer days there is no forecast."""


class SpaceSample(msgspec.Struct, frozen=True):
    """The space at a time: the bytes of the database without its free pages, of cold storage, and the tasks."""

    at: str
    database: int
    cold: int = 0
    tasks: int = 0

    @property
    def time(self) -> datetime:
        """The time of the sample."""
        found = datetime.fromisoformat(self.at)
        return found if found.tzinfo else found.replace(tzinfo=UTC)

    @property
    def total(self) -> int:
        """All bytes."""
        return self.database + self.cold


class Growth(NamedTuple):
    """The growth per day in bytes, over `days` days."""

    per_day: float
    days: float


def sample_of(text: str) -> SpaceSample | None:
    """Decode a sample, or return None if it cannot be read."""
    try:
        sample = msgspec.json.decode(text, type=SpaceSample)
        _ = sample.time
    except (msgspec.MsgspecError, ValueError):
        return None
    return sample


def growth(samples: Sequence[SpaceSample]) -> Growth | None:
    """Return the growth of the last `WINDOW_DAYS` days by a line through the samples. None: too few samples."""
    if not samples:
        return None
    newest = samples[-1].time
    recent = [one for one in samples if (newest - one.time).total_seconds() <= WINDOW_DAYS * 86_400]
    days = (newest - recent[0].time).total_seconds() / 86_400
    if len(recent) < MIN_DAYS or days < MIN_DAYS - 1:
        return None
    at = [(one.time - recent[0].time).total_seconds() / 86_400 for one in recent]
    mean_at, mean = sum(at) / len(at), sum(one.total for one in recent) / len(recent)
    spread = sum((day - mean_at) ** 2 for day in at)
    slope = sum((day - mean_at) * (one.total - mean) for day, one in zip(at, recent, strict=True)) / spread
    return Growth(slope, days)


def days_until_full(found: Growth | None, disk_free: int) -> float | None:
    """Return the days until the disk is full at this pace. None: it is not known, or the store does not grow."""
    if found is None or found.per_day <= 0:
        return None
    return disk_free / found.per_day
