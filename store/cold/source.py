"""Reading of a task's rows in short reads, in the form that both kinds of databases share."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from signalbox.store.cold.errors import UnpackableTask
from signalbox.store.moving.tables import EVENTS, TASKS, WHOLE, Column, Row, Table
from signalbox.store.sql.compressed import as_given
from signalbox.store.sql.raw_rows import RawRows

SMALL = tuple(table for table in WHOLE if table.name in ("task_unfinished", "signed_heads", "redacted_events"))
"""The tables with few rows of a task. The database keeps theirs while the task is in cold storage."""

READ_ROWS = 500
"""Rows of one read. A payload has at most 256 KB."""

READ_CHARS = 2_000_000
"""After a read with more characters, the next read takes fewer rows."""

_TEXTS = ("text", "json", "key")
_COUNTER = ("identity", "last_seq")


class TaskRows:
    """Reads the rows of tasks in a store."""

    def __init__(self, raw: RawRows) -> None:
        self.rows, self.dialect = raw

    async def task(self, task_id: str) -> Row | None:
        """Return the row of a task in `tables.TASKS`, or None."""
        columns = ", ".join(self._selected(c, "c" if c.name in _COUNTER else "t") for c in TASKS.columns)
        sql = f"SELECT {columns} FROM tasks t JOIN task_event_seq_counters c USING (task_id) WHERE t.task_id = ?"
        found = await self.rows(sql, task_id)
        return self._row(TASKS, task_id, found[0]) if found else None

    async def events(self, task_id: str, until_seq: int) -> AsyncIterator[list[Row]]:
        """Yield the events of a task up to a seq, by seq, a few hundred at a time."""
        size, after, payload = READ_ROWS, 0, EVENTS.names.index("payload")
        while after < until_seq:
            where = "task_id = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"
            rows = await self._page(EVENTS, where, task_id, after, until_seq, size)
            if rows:
                yield rows
            if len(rows) < size:
                return
            after = rows[-1][2]
            chars = sum(len(row[payload]) for row in rows)
            size = min(READ_ROWS, max(8, size * READ_CHARS // max(chars, READ_CHARS // 2)))

    async def part(self, table: Table, task_id: str) -> AsyncIterator[list[Row]]:
        """Yield the rows of a task in a table of `tables.PARTS` or of `SMALL`, a few hundred at a time."""
        if table in SMALL:
            yield await self._page(table, f"task_id = ? ORDER BY {', '.join(table.key)}", task_id)
            return
        place = table.names.index(table.key[1])
        key = table.columns[place]
        where = f"task_id = ? AND {key.name} > ? ORDER BY {key.name} LIMIT ?"
        after: Any = -1 if key.kind == "int" else ""
        while True:
            bound = self.dialect.stored_key(after) if key.kind == "key" else after
            rows = await self._page(table, where, task_id, bound, READ_ROWS)
            if rows:
                yield rows
            if len(rows) < READ_ROWS:
                return
            after = rows[-1][place]

    async def content(self, sha256: str) -> int | None:
        """Return the size of the content of an artifact, or None if the content is not in this store."""
        found = await self.rows("SELECT size FROM artifact_contents WHERE sha256 = ? AND complete = 1", sha256)
        return int(found[0][0]) if found else None

    async def piece(self, sha256: str, number: int) -> bytes | None:
        """Return a piece of a content, or None."""
        found = await self.rows("SELECT content FROM artifact_pieces WHERE sha256 = ? AND number = ?", sha256, number)
        return bytes(found[0][0]) if found else None

    async def _page(self, table: Table, where: str, task_id: str, *values: object) -> list[Row]:
        columns = ", ".join(self._selected(column, table.name) for column in table.columns)
        rows = await self.rows(f"SELECT {columns} FROM {table.name} WHERE {where}", task_id, *values)
        return [self._row(table, task_id, row) for row in rows]

    def _selected(self, column: Column, table: str) -> str:
        name = f"{table}.{column.name}"
        if column.kind == "bool":
            return f"CAST({name} AS integer)"
        return self.dialect.stored(name) if column.kind in _TEXTS else name

    def _row(self, table: Table, task_id: str, row: Row) -> Row:
        """Return a row with its texts as they were given. Raises UnpackableTask."""
        values = list(row)
        for place, column in enumerate(table.columns):
            value = values[place]
            if column.kind in _TEXTS and value is not None:
                values[place] = self._text(table, task_id, value)
            elif value is None and not column.optional:
                raise UnpackableTask(task_id, f"a row of {table.name} has no {column.name}")
        key = next((place for place, column in enumerate(table.columns) if column.kind == "key"), None)
        if key is not None:
            state = values[table.names.index("state")]
            values[key] = self.dialect.full_key(table.columns[key].name, values[key], state)
        return tuple(values)

    def _text(self, table: Table, task_id: str, stored: Any) -> str:
        try:
            stored = as_given(stored)
            text = stored.decode() if isinstance(stored, bytes) else stored
            return self.dialect.restored(text)
        except (UnicodeDecodeError, AttributeError, TypeError) as error:
            raise UnpackableTask(task_id, f"a row of {table.name} is damaged: {error}") from error
