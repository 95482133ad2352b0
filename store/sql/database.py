"""The interface of a writer's connection inside a transaction. Each kind of store implements it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol

from signalbox.store.search.documents import Document
from signalbox.store.sql.dialect import Dialect
from signalbox.store.state import Task


class StatementResult(Protocol):
    """The result of a statement."""

    @property
    def rowcount(self) -> int:
        """The number of rows that the statement changed. On PostgreSQL this waits for the server."""

    def fetchone(self) -> Any:
        """Return the next row, or None."""

    def fetchall(self) -> list[Any]:
        """Return all remaining rows."""


class TextIndex(Protocol):
    """The texts and the rows of the search index. Each kind of database has a text index of its own."""

    def create(self) -> str:
        """Create it if it does not exist. Return why that is not possible, or ""."""

    def add(self, documents: Sequence[Document]) -> None:
        """Add the documents of blocks that have none."""

    def remove(self, blocks: Sequence[int]) -> None:
        """Remove the documents of these blocks. A block may have none."""

    def tidy(self) -> bool:
        """Do a short step of the work that keeps searches fast. Return whether it did anything."""

    def drop_part(self, limit: int) -> bool:
        """Remove about `limit` blocks in any order. Return whether there was anything to remove."""


class Database(Protocol):
    """Runs statements in the current transaction. Values are marked by `?`.

    The transaction holds the only lock for writing, so a row that was just looked up cannot change before the commit.
    A work function must look for conflicting rows itself: a failed statement may be reported only at the commit.
    """

    @property
    def dialect(self) -> Dialect:
        """The SQL expressions of this kind of database."""

    @property
    def text_index(self) -> TextIndex:
        """The texts of the search over all runs."""

    def execute(self, sql: str, values: Sequence[Any] = ..., /) -> StatementResult:
        """Run one statement."""

    def executemany(self, sql: str, rows: Iterable[Sequence[Any]], /) -> object:
        """Run one statement for each row of values."""

    def now(self) -> str:
        """Return the present time as a timestamp, by the clock of the database."""

    def head(self, task_id: str) -> tuple[int, str | bytes | None, bool, bool, bytes | None]:
        """Return the newest event id, the state of a task as JSON, or None if there is no such task, whether the task
        is stale, whether its log is in cold storage, and the newest link of its log, or None if it has none.
        """

    def take_event_id(self) -> None:
        """Use up one event id, so that readers notice a change that adds no event."""

    def create_task(self, task: Task) -> None:
        """Insert the rows of a new task."""

    def insert_events(self, rows: Sequence[Sequence[object]]) -> None:
        """Insert events. Each row has the values of `rows.COLUMNS`, then `quiet`, `plain` and `link`; "" stands
        for NULL.
        """

    def put_events(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Insert those events that are not there yet, as they were stored. Each row has the values of `columns`."""

    def replace_payloads(self, task_id: str, rows: Sequence[tuple[int, str, str, str | None, int | None]]) -> None:
        """Replace the payloads of events: (seq, event type, payload, `plain`, `quiet`).

        The database overwrites what it removes in this transaction, as far as it can.
        """

    def save_task(self, task: Task, link: bytes | None, *, was_stale: bool) -> None:
        """Write the state, the counter and the newest link of a task. A task that was stale no longer is."""

    def remove_task(self, task_id: str) -> None:
        """Delete the row of a task and its counter, but not the rows of other tables.

        SQLite must not enforce foreign keys in this transaction.
        """
