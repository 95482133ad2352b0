"""Groups of similar siblings: spans below the same parent whose kinds are equal and whose names differ in numbers."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil
from operator import itemgetter

from signalbox.webapp.views.span_references import span_reference
from signalbox.webapp.views.span_times import TimedSpan

GROUP_SIZE = 20
"""Fewer similar siblings are not grouped."""

SHOWN_MEMBERS = 5
"""A closed group shows its slowest span, and at most this many spans that failed or are open."""

_HEX = re.compile(r"\b(?=[0-9a-f-]{0,60}\d)[0-9a-f]{7,}(?:-[0-9a-f]{4,}){0,4}\b", re.IGNORECASE)
_DIGIT = re.compile(r"\d")
_NUMBER = re.compile(r"\d+(?:\.\d+)*")
_END = re.compile(r"(?<![\s\-_.:/#\[(])[\s\-_.:/#\[(]*#[\s\])]*$")


def common_label(names: Collection[str]) -> str:
    """Return the label of spans whose labels are equal: their name if they have the same one."""
    return next(iter(names)) if len(names) == 1 else label_of(next(iter(names)))


def label_of(name: str) -> str:
    """Return a name without its numbers: "shard" for "shard-317", "page # of #" for "page 3 of 12"."""
    # Most names have at most one number, at their end.
    front = name.rstrip("0123456789")
    return front.rstrip(" -_.:/#") or "#" if front and not _DIGIT.search(front) else _label_of(name)


@lru_cache(maxsize=4096)
def _label_of(name: str) -> str:
    shown = _NUMBER.sub("#", _HEX.sub("#", name))
    return _END.sub("", shown) or shown


@dataclass(frozen=True)
class SpanGroup:
    """Similar siblings in the order of their start.

    `key` is the id of the first one. Another one may become the first when an earlier span arrives, or when a filter
    changes. So the reference of any member names the group.
    """

    label: str
    members: list[TimedSpan]

    @property
    def key(self) -> str:
        """The span id that names the group in an address."""
        return self.members[0].span.span_id

    def named(self, references: Sequence[str]) -> list[str]:
        """Return those of the references that belong to members."""
        members = {span_reference(member.span.span_id) for member in self.members}
        return [one for one in references if one in members]

    @cached_property
    def durations(self) -> list[float]:
        """The durations in ascending order."""
        return sorted(member.duration for member in self.members)

    def percentile(self, share: float) -> float:
        """Return the duration that `share` of the members do not exceed (the nearest rank)."""
        return self.durations[max(0, ceil(len(self.durations) * share) - 1)]

    @cached_property
    def slowest(self) -> TimedSpan:
        """The member with the longest duration, the first of several."""
        return max(self.members, key=lambda member: member.duration)

    def in_state(self, state: str) -> list[TimedSpan]:
        """Return the members in this state."""
        return [member for member in self.members if member.span.state == state]

    @cached_property
    def notable(self) -> list[TimedSpan]:
        """The members that a closed group still shows: the slowest, some that failed, some that are open."""
        chosen = {id(member) for member in self.in_state("failed")[:SHOWN_MEMBERS]}
        chosen |= {id(member) for member in self.in_state("open")[-SHOWN_MEMBERS:]} | {id(self.slowest)}
        return [member for member in self.members if id(member) in chosen]


def grouped(siblings: Sequence[TimedSpan]) -> list[TimedSpan | SpanGroup]:
    """Return the siblings, with at least GROUP_SIZE similar ones as a group at the place of the first of them."""
    if len(siblings) < GROUP_SIZE:
        return list(siblings)
    alike: dict[tuple[str, str | None, str], list[int]] = {}
    for number, timed in enumerate(siblings):
        span = timed.span
        key = span.kind, span.work_type, label_of(span.name)
        numbers = alike.get(key)
        if numbers is None:
            alike[key] = [number]
        else:
            numbers.append(number)
    found: list[tuple[int, TimedSpan | SpanGroup]] = []
    for numbers in alike.values():
        if len(numbers) < GROUP_SIZE:
            found.extend((number, siblings[number]) for number in numbers)
        else:
            members = [siblings[number] for number in numbers]
            found.append((numbers[0], SpanGroup(common_label({member.span.name for member in members}), members)))
    return [item for _, item in sorted(found, key=itemgetter(0))]
