"""Test that reading many rows at once finds the same damage as reading each row."""

from __future__ import annotations

from typing import Any

import pytest

from signalbox.store.sql.rows import event_of, events_of

GOOD = '{"message": "hello"}'


def row(payload: Any, **changed: Any) -> tuple[Any, ...]:
    columns = {
        "event_id": 1,
        "task_id": "t",
        "seq": 1,
        "event_type": "log",
        "phase": None,
        "actor": "run",
        "span_id": "main",
        "parent_span_id": None,
        "payload": payload,
        "created_at": "2026-11-27T04:00:00.000Z",
        "key": None,
        "origin": None,
        "occurred_at": None,
    }
    return tuple((columns | changed).values())


@pytest.mark.parametrize(
    "rows",
    [
        [],
        [row(GOOD), row(GOOD)],
        [row(GOOD, cut_from=9000), row(GOOD, cut_from=None)],
        [row('{"a": [1'), row("2]}")],
        [row('{"a": 1}, {"b": 2}'), row('{"x": [1'), row("2]}")],
        [row("[1, 2]"), row(GOOD)],
        [row(" {} "), row(GOOD)],
        [row("nonsense"), row(GOOD)],
        [row(b"\x00\xff"), row(GOOD)],
        [row(GOOD, actor=2), row(GOOD, phase=b"\xfe")],
        [row(GOOD, seq="many", created_at=None)],
        [row('{"a":' + "[" * 900 + "]" * 900 + "}"), row(GOOD)],
        [row('{"message": "' + "x" * 5000 + '"}'), row(GOOD)],
    ],
)
def test_rows_read_together_are_the_events_of_each_row(rows: list[tuple[Any, ...]]) -> None:
    together, each = events_of(rows), [event_of(one) for one in rows]
    assert together == each
    assert [event.payload for event in together] == [event.payload for event in each]
    assert [event.cut_from for event in together] == [event.cut_from for event in each]
