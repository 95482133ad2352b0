"""The errors of a move. After all but SwitchIncomplete, programs continue to use the source."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store.errors import StoreDamaged, StoreError

MAX_LISTED = 20
"""Tasks that a message lists."""


class MoveRefused(StoreError):
    """The move cannot start: the message says which database is the reason, and what to do."""


class MoveStopped(StoreError):
    """The caller asked to stop. Everything copied so far is kept, and the same move can continue."""


class SwitchTooSlow(StoreError):
    """The switch did not end in time, so it was undone, and writers continue to use the source."""


class SwitchIncomplete(StoreError):
    """The source has switched, but the target could not be opened for programs."""

    def __init__(self, error: StoreError) -> None:
        super().__init__(
            f"the source was switched, but the target is not complete: {error};"
            " run the same command again to complete it"
        )


class UnreadableRow(StoreDamaged):
    """A stored value is not of the type of its column."""


class DamagedSource(StoreDamaged):
    """Parts of the source cannot be read. Nothing was switched."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__(
            f"the source has parts that cannot be read, so it was not moved: {listed(faults)}."
            " Export what you need of these tasks, delete them, and run the command again;"
            " `signalbox doctor` says more about a SQLite file"
        )


class StoresDiffer(StoreError):
    """The comparison found differences. Nothing was switched."""

    def __init__(self, differences: Sequence[str]) -> None:
        super().__init__(
            f"the copy differs from the source, so nothing was switched: {listed(differences)}."
            " Run the command again with --start-over, which copies everything anew"
        )


def listed(items: Sequence[str]) -> str:
    """Join messages, and count those that are too many to list."""
    more = len(items) - MAX_LISTED
    return "; ".join([*items[:MAX_LISTED], *([f"and {more} more"] if more > 0 else [])])
