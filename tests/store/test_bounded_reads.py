"""Reads that are limited in bytes ask for few rows more than they return, and never for none."""

from __future__ import annotations

import pytest

from signalbox.store.bounded_reads import bounded_read


@pytest.mark.parametrize("first", [1, 2, 16])
@pytest.mark.parametrize("length", [1, 10, 99, 100, 101, 5000])
async def test_a_read_returns_what_fits_and_asks_for_little_more(length: int, first: int) -> None:
    asked: list[int] = []

    async def read(last: int | None, count: int) -> list[int]:
        asked.append(count)
        start = 0 if last is None else last + 1
        return list(range(start, min(start + count, 1000)))

    found, more = await bounded_read(read, 500, 100, lambda row: length, steps=(first, 100))
    assert found == list(range(max(1, 100 // length)))
    assert more
    assert min(asked) >= 1
    assert sum(asked) <= len(found) + max(first, 2)
