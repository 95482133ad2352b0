"""The database of a store, as far as moves need it, and the parts of a task that move."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from signalbox.store.contract.reading import Reading
from signalbox.store.moving.tables import OF_LOGS, Row, Table
from signalbox.store.sql.dialect import Dialect
from signalbox.store.sql.group_commit import Calls, GroupCommit
from signalbox.store.sql.raw_rows import RawRows

MOVED_PARTS = OF_LOGS[1:]
"""The parts whose rows move to the file with the events."""

STEP_WEIGHT = 500
"""The weight of a step for the group commit, in events: few other calls share its transaction."""


class ColdDatabase(Protocol):
    """A store in a database."""

    @property
    def epoch(self) -> str:
        """The epoch of the database."""

    @property
    def raw_rows(self) -> RawRows:
        """Queries without views."""

    @property
    def writer(self) -> GroupCommit:
        """The writer of this process."""

    @property
    def calls(self) -> Calls:
        """The writes as coroutines."""

    def read(self) -> AbstractAsyncContextManager[Reading]:
        """Return a view."""


def insert_sql(table: Table) -> str:
    """Return the SQL that inserts a row of a part unless it is there."""
    marks = ", ".join("?" * len(table.columns))
    return f"INSERT INTO {table.name} ({', '.join(table.names)}) VALUES ({marks}) ON CONFLICT DO NOTHING"


def stored_row(dialect: Dialect, table: Table, row: Row) -> Row:
    """Return a row of a file as the database stores it."""
    if not any(column.kind == "key" for column in table.columns):
        return row
    columns = zip(table.columns, row, strict=True)
    return tuple(dialect.stored_key(value) if column.kind == "key" else value for column, value in columns)
