"""Test that a block of events keeps its links in a few bytes, also those that do not follow from the events."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from signalbox.store.chain.links import START, fields_of
from signalbox.store.cold.blocks import BlockReader, packed_columns
from signalbox.store.moving.tables import EVENTS
from tests.support.varied_log import varied_log


def columns(origin: str | None = None, linked_as: str = "") -> list[list[Any]]:
    """Return the columns of a log whose links were computed with the origin `linked_as`."""
    rows, before = [], START
    for event in varied_log("t", 400, 1):
        payload = bytes(event.payload_json).decode()
        fields = fields_of(event.seq, event.event_type, event.phase, event.actor, event.span_id, event.parent_span_id,
                           event.created_at, None, event.key, linked_as)  # fmt: skip
        before = sha256(before + fields + payload.encode()).digest()
        rows.append(
            (event.event_id, "t", event.seq, event.event_type, event.phase, event.actor, event.span_id,
             event.parent_span_id, payload, event.created_at, event.key, origin, None, None, None, before)
        )  # fmt: skip
    assert len(rows[0]) == len(EVENTS.names)
    return [list(column) for column in zip(*rows, strict=True)]


@pytest.mark.parametrize("origins", [(None, ""), ("server", "server"), ("import", "server"), ("import", "import")])
def test_the_links_of_a_block_take_a_few_bytes(origins: tuple[str | None, str]) -> None:
    given = columns(*origins)
    block = BlockReader(packed_columns(given), EVENTS.names, 400)
    assert block.column("link") == given[-1]
    assert len(block.text("link")) < 1500


def test_links_that_do_not_follow_from_their_events_are_kept() -> None:
    given = columns()
    given[-1][7] = None
    given[-1][20] = b"x" * 32
    given[-1][30:40] = [None] * 10
    given[8][50] = '{"other":1}'
    block = BlockReader(packed_columns(given), EVENTS.names, 400)
    assert block.column("link") == given[-1]
