"""Verification of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from signalbox.store.chain.verification import Entry
from signalbox.store.cold.places import ReadablePlace
from signalbox.store.errors import StoreUnavailable
from signalbox.store.postgresql.connection import Address
from signalbox.store.postgresql.database import derived_columns, with_driver_placeholders
from signalbox.store.postgresql.errors import translated
from signalbox.store.postgresql.migrations import applied, facts_in, unknown_migrations
from signalbox.store.sql import log_links
from signalbox.store.terminal_escapes import plain_json

LINKS = "013_links"
"""The migration that added the links."""

COLD = "014_cold"
"""The migration that added cold storage."""


class PostgresSource:
    """Implements `LogSource` on a connection of its own."""

    def __init__(self, connection: psycopg.Connection[Any], cold_storage: str | None) -> None:
        self._db = connection
        names = applied(connection)
        if not names:
            raise StoreUnavailable("it is not a Signalbox database")
        unknown_migrations(connection)
        self.linked, self.has_cold = LINKS in names, COLD in names
        self.cold_storage = cold_storage
        self.cold_files: ReadablePlace | None = None
        key = facts_in(connection).get("key")
        self.key = bytes.fromhex(key) if key else None

    def query(self, sql: str, values: tuple[object, ...] = (), /) -> Iterable[Any]:
        return self._db.execute(with_driver_placeholders(sql).encode(), values).fetchall()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        self._db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            yield
        finally:
            self._db.execute("ROLLBACK")

    def entries(self, task_id: str) -> Iterator[Entry]:
        return log_links.entries_of(
            self.query, task_id, linked=self.linked, derived="plain, failure, brief", check=_wrong_column
        )


@contextmanager
def postgresql_source(url: str, cold_storage: str | None) -> Iterator[PostgresSource]:
    """Open a database for verification. Raises StoreUnavailable and SchemaTooNew."""
    with closing(Address(url).connect()) as connection:
        try:
            yield PostgresSource(connection, cold_storage)
        except psycopg.Error as error:
            raise translated(error) from error


def _wrong_column(event_type: str, payload: str, columns: Sequence[Any]) -> str:
    plain, failure, brief = columns
    expected = (plain_json(payload), *derived_columns(event_type, payload))
    for name, stored, right in zip(("plain", "failure", "brief"), (plain, failure, brief), expected, strict=True):
        if stored != right:
            return f"its column {name} does not fit its payload"
    return ""
