"""Test the locks of a move on its databases."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest

from signalbox.store import NewEvent, open_store
from signalbox.store.moving import sqlite_side
from signalbox.store.moving.opening import open_side
from signalbox.store.moving.postgresql_side import MOVE_LOCK
from signalbox.store.moving.tables import EVENTS
from tests.store.moving.conftest import KINDS, POSTGRESQL, PROGRAMS, SQLITE


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=PROGRAMS) for kind in KINDS if kind == POSTGRESQL])
def test_the_lock_of_a_move_that_has_just_ended_is_waited_for(kind: str, new_url: Callable[[str], str]) -> None:
    url = new_url(kind)
    open_store(url).close()
    with psycopg.connect(url, autocommit=True) as ended:
        ended.execute("SELECT pg_advisory_lock(%s)", (MOVE_LOCK,))
        timer = threading.Timer(0.2, lambda: ended.execute("SELECT pg_advisory_unlock(%s)", (MOVE_LOCK,)))
        timer.start()
        with closing(open_side(url, target=False)) as side:
            assert side.exists
        timer.join()


def test_a_query_that_was_not_read_to_its_end_does_not_keep_later_writes_away(
    new_url: Callable[[str], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_side, "LOCK_TIMEOUT", 0.2)
    url = new_url(SQLITE)
    with closing(open_store(url)) as store:
        store.append("t", [NewEvent(event_type="log")] * 3)
        with closing(open_side(url, target=False)) as side:
            with side.snapshot():
                rows = side.select(EVENTS, "ORDER BY event_id")
                assert next(rows)
            store.append("t", NewEvent(event_type="log"))
            with side.locked(1.0):
                assert side.count(EVENTS) == 4
            del rows
