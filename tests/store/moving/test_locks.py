"""Test the locks that keep other moves away from a PostgreSQL database."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import closing

import psycopg
import pytest

from signalbox.store import open_store
from signalbox.store.moving.opening import open_side
from signalbox.store.moving.postgresql_side import MOVE_LOCK
from tests.store.moving.conftest import KINDS, POSTGRESQL, PROGRAMS


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
