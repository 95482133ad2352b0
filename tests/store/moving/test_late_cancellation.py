"""The switch cancels a statement that takes too long. On PostgreSQL the cancellation may arrive a statement later."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import psycopg
import pytest

from signalbox.store.errors import StoreError
from signalbox.store.moving.postgresql_side import PostgresSide
from tests.support import postgres
from tests.support.shared_postgres import create_database

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)


def test_a_transaction_is_undone_although_its_rollback_was_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    execute, cancelled = psycopg.Connection.execute, []

    def cancelled_once(connection: psycopg.Connection[Any], query: Any, *given: Any, **options: Any) -> Any:
        if query == "ROLLBACK" and not cancelled:
            cancelled.append(query)
            raise psycopg.errors.QueryCanceled("canceling statement due to user request")
        return execute(connection, query, *given, **options)

    with closing(PostgresSide(create_database(), target=True)) as side:
        side.create()
        monkeypatch.setattr(psycopg.Connection, "execute", cancelled_once)
        with pytest.raises(StoreError), side.writing():
            next(iter(side.rows("SELECT 1 / 0")))
        assert cancelled
        with side.writing():
            side.set_facts({"a": "b"})
