"""The items of `evidence_refs` as rows: artifacts, commits, work items and so on, within a limit of characters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from signalbox.webapp.views.text import display_text

MAX_NAMES = 50
MAX_NAME_CHARS = 100
MAX_VALUE_CHARS = 300


class RefLimits(NamedTuple):
    """The most values of one name, and characters of all values."""

    values: int
    chars: int


CARD_REFS = RefLimits(values=20, chars=2000)
"""For one of many cards on a page."""

PAGE_REFS = RefLimits(values=500, chars=100_000)


class Ref(NamedTuple):
    """A name with its first values, and the number of its other values."""

    name: str
    values: list[str]
    left: int


class ShownRefs(NamedTuple):
    """The first names, and the number of the other names."""

    rows: list[Ref]
    left: int


def shown_refs(evidence_refs: Mapping[str, Any], limits: RefLimits = CARD_REFS) -> ShownRefs:
    """Return the names and values that a page shows. The checkpoint is left out, because it has a link of its own."""
    named = [(name, value) for name, value in evidence_refs.items() if name != "checkpoint_id" and value]
    rows: list[Ref] = []
    left = limits.chars
    for name, value in named[:MAX_NAMES]:
        if left <= 0:
            break
        values = value if isinstance(value, list) else [value]
        shown: list[str] = []
        for one in values[: limits.values]:
            if left <= 0:
                break
            shown.append(display_text(one, MAX_VALUE_CHARS))
            left -= len(shown[-1])
        rows.append(Ref(display_text(name, MAX_NAME_CHARS).replace("_", " "), shown, len(values) - len(shown)))
        left -= len(rows[-1].name)
    return ShownRefs(rows, len(named) - len(rows))
