"""One side of a move: a database on one connection. Each kind of database implements it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from itertools import islice
from typing import Any

from signalbox.store.moving.tables import TASKS, Row, Table
from signalbox.store.sql.cold_tasks.stages import ON_THEIR_WAY
from signalbox.store.sql.dialect import Dialect

CHUNK = 500
"""Rows that are written with one statement."""


class DatabaseSide(ABC):
    """A database as the source or the target of a move.

    Opening it reserves it: another move is refused, and no other program can write to a target. The reservation ends
    with the connection, also if this process is killed. The constructor raises MoveRefused and StoreUnavailable.

    Rows have the values of `Table.columns` in the form of SQLite: texts with NUL, and 0 and 1 for booleans. Reads need
    a `snapshot()` or a `writing()` around them, and writes need `writing()`. Errors are those of the store.
    """

    dialect: Dialect
    url: str
    """The URL by which programs can open the database from any directory. It may contain a password."""

    @property
    @abstractmethod
    def keeps_secrets(self) -> bool:
        """Whether only the users of the store can read the database, so that a password may be stored in it."""

    # transactions

    @abstractmethod
    def snapshot(self) -> AbstractContextManager[None]:
        """Return a transaction in which all reads see the same state. It delays no writer."""

    @abstractmethod
    def writing(self, *, durable: bool = False) -> AbstractContextManager[None]:
        """Return a transaction that commits at the end of the block. If `durable`, it also survives a power loss."""

    @abstractmethod
    def locked(self, seconds: float) -> AbstractContextManager[None]:
        """Return a durable transaction of the source that makes all its writers wait, for at most `seconds`."""

    @abstractmethod
    def cancel(self) -> None:
        """End the statement that another thread runs now, so that it raises SwitchTooSlow."""

    # life

    @abstractmethod
    def is_at(self, url: str) -> bool:
        """Return whether the URL leads to this database too."""

    @abstractmethod
    def schema(self) -> tuple[set[str], set[str]]:
        """Return the names of the migrations that are missing, and of those that this version does not know."""

    @property
    @abstractmethod
    def exists(self) -> bool:
        """Whether the database has the tables of Signalbox."""

    @abstractmethod
    def create(self) -> None:
        """Create the tables of Signalbox, or migrate them to the newest schema."""

    @abstractmethod
    def tune(self) -> None:
        """Prepare the database for its readers after the copy."""

    @abstractmethod
    def close(self) -> None:
        """Close the connection."""

    # rows

    @abstractmethod
    def rows(self, sql: str, *values: object) -> Iterator[Row]:
        """Yield the rows of a query without loading all of them."""

    @abstractmethod
    def select(self, table: Table, rest: str = "", *values: object) -> Iterator[Row]:
        """Yield rows of a table. `rest` are the clauses after FROM. Raises UnreadableRow."""

    @abstractmethod
    def changed(self, table: Table, since: dict[str, int]) -> Iterator[Row]:
        """Yield the rows of a part that changed after the given seq of their task, for the tasks in `since`."""

    @abstractmethod
    def insert(self, table: Table, rows: Sequence[Row]) -> None:
        """Insert rows."""

    @abstractmethod
    def delete(self, table: Table, keys: Sequence[Row]) -> None:
        """Delete the rows with these values of `Table.key`."""

    @abstractmethod
    def delete_tasks(self, task_ids: Sequence[str]) -> None:
        """Delete all rows of these tasks, except audits."""

    @abstractmethod
    def empty(self) -> None:
        """Delete all rows of all tables that are moved."""

    def replace(self, table: Table, rows: Iterable[Row]) -> None:
        """Insert rows, each in place of the row with the same key."""
        places = table.places(*table.key)
        rows = iter(rows)
        while chunk := list(islice(rows, CHUNK)):
            self.delete(table, [tuple(row[place] for place in places) for row in chunk])
            self.insert(table, chunk)

    def of_tasks(self, table: Table, task_ids: Sequence[str]) -> Iterator[Row]:
        """Yield the rows of these tasks, ordered by task."""
        where, values = self.dialect.among("task_id", task_ids)
        return self.select(table, f"WHERE {where} ORDER BY task_id", *values)

    def on_their_way(self) -> set[str]:
        """Return the tasks of which any part of the rows may be here, because the log is in a cold file."""
        return {row[0] for row in self.rows(ON_THEIR_WAY)}

    def count(self, table: Table) -> int:
        """Return the number of rows of a table."""
        (row,) = self.rows(f"SELECT count(*) FROM {table.name}")
        return int(row[0])

    def standing(self, task_ids: Sequence[str], names: Sequence[str]) -> dict[str, Row]:
        """Return columns of the rows of these tasks in `tasks`, by task id."""
        places = TASKS.places(*names)
        return {row[0]: tuple(row[place] for place in places) for row in self.of_tasks(TASKS, task_ids)}

    def last_seqs(self, task_ids: Sequence[str]) -> dict[str, int]:
        """Return the seq of the last event of each of these tasks. It is 0 if no event is here."""
        where, values = self.dialect.among("task_id", task_ids)
        last = "SELECT e.seq FROM task_events AS e WHERE e.task_id = tasks.task_id ORDER BY e.seq DESC LIMIT 1"
        return dict(self.rows(f"SELECT task_id, coalesce(({last}), 0) FROM tasks WHERE {where}", *values))

    # state of the database

    @abstractmethod
    def facts(self) -> dict[str, str]:
        """Return all rows of `store_facts`. Empty if there is no such table."""

    @abstractmethod
    def set_facts(self, facts: dict[str, str | None]) -> None:
        """Write rows of `store_facts`. None deletes a row."""

    @abstractmethod
    def last_ids(self) -> dict[str, int]:
        """Return the newest id that each table of `tables.COUNTED` ever had."""

    @abstractmethod
    def set_last_ids(self, ids: dict[str, int]) -> None:
        """Make the next ids follow these."""

    @abstractmethod
    def freeze(self) -> None:
        """Make the database refuse every write to the log and to people, also from programs that have it open."""

    @abstractmethod
    def thaw(self) -> None:
        """Undo `freeze`."""


def value_of(row: Sequence[Any] | None) -> Any:
    """Return the only value of a row."""
    assert row is not None
    return row[0]
