"""The statements of a transaction are sent together, and fail and return as in the driver's own pipeline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.pq import TransactionStatus

from signalbox.store.postgresql.batches import MAX_COLLECTED, batches
from tests.support import postgres
from tests.support.shared_postgres import create_database

pytestmark = pytest.mark.skipif(postgres.programs() is None, reason=postgres.MISSING)


@pytest.fixture
def connection() -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(create_database(empty=True), autocommit=True) as opened:
        opened.execute("CREATE TABLE numbers (number bigint PRIMARY KEY)")
        yield opened


def numbers(connection: psycopg.Connection[Any]) -> list[int]:
    return [number for (number,) in connection.execute("SELECT number FROM numbers ORDER BY number")]


def test_nothing_is_sent_before_a_result_is_needed(connection: psycopg.Connection[Any]) -> None:
    with batches(connection) as pipeline:
        connection.execute("INSERT INTO numbers VALUES (1)")
        found = connection.execute("SELECT count(*) FROM numbers")
        assert connection.info.transaction_status == TransactionStatus.IDLE
        assert len(pipeline.command_queue) == 2
        assert found.fetchone() == (1,)
        connection.execute("INSERT INTO numbers VALUES (2)")
    assert numbers(connection) == [1, 2]


def test_many_rows_are_sent_in_parts(connection: psycopg.Connection[Any]) -> None:
    rows = [(number,) for number in range(5 * MAX_COLLECTED + 1)]
    with batches(connection) as pipeline:
        connection.cursor().executemany("INSERT INTO numbers VALUES (%s)", rows)
        assert len(pipeline.command_queue) < MAX_COLLECTED
    assert numbers(connection) == [number for (number,) in rows]


def test_an_error_ends_the_statements_after_it(connection: psycopg.Connection[Any]) -> None:
    def insert() -> None:
        with batches(connection):
            connection.execute("BEGIN")
            connection.execute("INSERT INTO numbers VALUES (1)")
            connection.execute("INSERT INTO numbers VALUES (1)")
            connection.execute("COMMIT")

    with pytest.raises(psycopg.errors.UniqueViolation):
        insert()
    connection.execute("ROLLBACK")
    assert numbers(connection) == []


def test_an_error_of_the_caller_does_not_stop_the_connection(connection: psycopg.Connection[Any]) -> None:
    def insert() -> None:
        with batches(connection):
            connection.execute("BEGIN")
            connection.execute("INSERT INTO numbers VALUES (1)")
            raise LookupError

    with pytest.raises(LookupError):
        insert()
    connection.execute("ROLLBACK")
    with batches(connection):
        connection.execute("INSERT INTO numbers VALUES (2)")
    assert numbers(connection) == [2]
