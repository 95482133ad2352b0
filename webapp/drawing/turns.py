"""The changes between two states of a conversation that a page shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class TurnChanges(NamedTuple):
    """The blocks that a frame removes from the beginning, replaces in place and adds at the end, by DOM id."""

    removed: list[str]
    changed: dict[str, str]
    added: dict[str, str]


def changes_between(before: Mapping[str, str], after: Mapping[str, str]) -> TurnChanges | None:
    """Return the changes, or None if blocks were removed, added or moved elsewhere."""
    old, new = list(before), list(after)
    if not old or not new or new[0] not in before:
        return None
    start = old.index(new[0])
    kept = old[start:]
    if new[: len(kept)] != kept:
        return None
    changed = {name: after[name] for name in kept if after[name] != before[name]}
    return TurnChanges(old[:start], changed, {name: after[name] for name in new[len(kept) :]})
