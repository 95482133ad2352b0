"""Reading the rows of both sides in step, by their keys."""

from __future__ import annotations

from collections.abc import Iterator

from signalbox.store.moving.tables import Row


def in_step(
    source: Iterator[tuple[Row, Row]], target: Iterator[tuple[Row, Row]]
) -> Iterator[tuple[Row, Row | None, Row | None]]:
    """Yield (key, row of the source, row of the target) for two iterators of keys and rows that are ordered by key."""
    left, right = next(source, None), next(target, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] < right[0]):
            assert left is not None
            yield left[0], left[1], None
            left = next(source, None)
        elif left is None or right[0] < left[0]:
            yield right[0], None, right[1]
            right = next(target, None)
        else:
            yield left[0], left[1], right[1]
            left, right = next(source, None), next(target, None)
