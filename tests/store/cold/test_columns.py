"""Test that each encoding of a column returns the values that it was given."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.store.cold.columns import decoded, encoded

TIME = "2026-01-05T09:00:30.000001Z"


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (b"C", ["log"] * 5),
        (b"C", [None] * 3),
        (b"I", [5, 6, 9, -3, 2**60]),
        (b"T", [TIME, "2026-01-05T09:00:31.999999Z", "1969-12-31T23:59:59.000000Z"]),
        (b"D", ["a", None, "a", "a"] * 4),
        (b"L", [f"line {n}" for n in range(9)]),
        (b"J", ["a\nb", "c", "d"]),
        (b"J", ["2026-01-05 09:00:30", None, 1.5, 3]),
        (b"L", ["2026-01-05T09:00:30Z", TIME]),
        (b"B", [b"\x00\n", b"", None]),
        (b"B", [b"x"] * 4),
    ],
)
def test_a_column_is_encoded_by_its_values(kind: bytes, values: list[Any]) -> None:
    assert encoded(values)[:1] == kind
    assert decoded(encoded(values), len(values)) == values


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(st.lists(st.one_of(text, st.none(), st.integers(-(2**63), 2**63 - 1), st.binary(max_size=9)), min_size=1))
def test_any_column_is_returned_as_it_was(values: list[Any]) -> None:
    if any(isinstance(value, bytes) for value in values):
        values = [value if isinstance(value, bytes) else None for value in values]
    assert decoded(encoded(values), len(values)) == values


@pytest.mark.parametrize("column", [b"", b"X", b"C", b"I[1,", b"D[[1],[1]]", b"L\xff", b"J[1]", b"B[9]\nab", b'T["a"]'])
def test_a_damaged_column_is_an_error(column: bytes) -> None:
    with pytest.raises((ValueError, IndexError, TypeError)):
        decoded(column, 2)
