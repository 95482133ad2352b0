"""The connection of the writer, with the statements of an append that depend on the kind of store."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from operator import itemgetter

from signalbox.store.sql.compressed import Compressor
from signalbox.store.sql.rows import COLUMNS, to_json
from signalbox.store.sqlite.forks import SqliteConnection
from signalbox.store.sqlite.payloads import Places, compressed_rows
from signalbox.store.sqlite.text_index import SqliteTextIndex
from signalbox.store.sqlite.views import SQLITE
from signalbox.store.state import Task
from signalbox.store.times import now

_INSERT = (
    f"INSERT INTO task_events ({COLUMNS}, quiet, plain, link) VALUES (?, ?, ?, ?, nullif(?, ''), ?, ?, nullif(?, ''),"
    " ?, ?, nullif(?, ''), nullif(?, ''), nullif(?, ''), nullif(?, ''), nullif(?, ''), ?)"
)
"""An empty text becomes NULL: binding None is slower, because sqlite3 looks up an adapter for it."""

_INSERT_BARE = (
    "INSERT INTO task_events (event_id, task_id, seq, event_type, actor, span_id, payload, created_at, quiet, link)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, nullif(?, ''), ?)"
)
"""Inserts events without optional values, as most are, in less time."""

_required, _optional = itemgetter(0, 1, 2, 3, 5, 6, 8, 9, 13, 15), itemgetter(4, 7, 10, 11, 12, 14)
_NONE = ("",) * 6
"""The values that `_INSERT_BARE` sets and leaves out, of a row as in `Database.insert_events`."""


class SqliteDatabase(SqliteConnection):
    """Implements `Database`. A subclass of the connection, because another layer would slow every statement."""

    dialect = SQLITE
    synchronous = "NORMAL"
    compresses = False
    """Whether long payloads are stored compressed: see `compression`."""

    @cached_property
    def compressor(self) -> Compressor:
        """The compressor of this connection."""
        return Compressor()

    @property
    def text_index(self) -> SqliteTextIndex:
        return SqliteTextIndex(self)

    def now(self) -> str:
        return now()

    def head(self, task_id: str) -> tuple[int, bytes | None, bool, bool, bytes | None]:
        # One statement, because single appends spend most of their time in statements.
        last_id, state, stale, cold, link = self.execute(
            "SELECT (SELECT seq FROM sqlite_sequence WHERE name = 'task_events'), CAST(state AS BLOB), stale, cold,"
            " link FROM (SELECT 1) LEFT JOIN tasks ON task_id = ?",
            (task_id,),
        ).fetchone()
        return last_id or 0, state, bool(stale), bool(cold), link

    def take_event_id(self) -> None:
        if not self.execute("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'task_events'").rowcount:
            self.execute("INSERT INTO sqlite_sequence VALUES ('task_events', 1)")

    def create_task(self, task: Task) -> None:
        at = task.created_at
        self.execute(
            "INSERT INTO tasks (task_id, created_at, status, title, kind, project_id, updated_at, active_at, state)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (task.task_id, at, task.status, task.title, task.kind, task.project_id, at, at[:19], to_json(task)),
        )
        counter = "INSERT INTO task_event_seq_counters (task_id, last_seq, identity) VALUES (?, 0, ?)"
        self.execute(counter, (task.task_id, task.identity))

    def insert_events(self, rows: Sequence[Sequence[object]]) -> None:
        if self.compresses:
            rows = compressed_rows(rows, self.compressor)
        if _optional(rows[0]) == _NONE and (len(rows) == 1 or all(_optional(row) == _NONE for row in rows)):
            self.executemany(_INSERT_BARE, map(_required, rows))
        else:
            self.executemany(_INSERT, rows)

    def put_events(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        values = ", ".join("?" * len(columns))
        sql = f"INSERT INTO task_events ({', '.join(columns)}) VALUES ({values}) ON CONFLICT DO NOTHING"
        if self.compresses:
            rows = compressed_rows(rows, self.compressor, Places.among(columns))
        self.executemany(sql, rows)

    def replace_payloads(self, task_id: str, rows: Sequence[tuple[int, str, str, str | None, int | None]]) -> None:
        # Applies to the connection, and stays on: it costs later deletions little.
        self.execute("PRAGMA secure_delete = ON").fetchall()
        sql = "UPDATE task_events SET payload = ?, plain = ?, quiet = ? WHERE task_id = ? AND seq = ?"
        self.executemany(sql, [(payload, plain, quiet, task_id, seq) for seq, _, payload, plain, quiet in rows])

    def save_task(self, task: Task, link: bytes | None, *, was_stale: bool) -> None:
        # SQLite rewrites the indexes of every column that a statement sets, so an unchanged one is left out.
        unmark = ", stale = 0" if was_stale else ""
        sql = f"UPDATE tasks SET updated_at = ?, state = ?, link = ?{unmark} WHERE task_id = ?"
        self.execute(sql, (task.updated_at, to_json(task), bytearray(link) if link else None, task.task_id))
        counter = "UPDATE task_event_seq_counters SET last_seq = ? WHERE task_id = ?"
        self.execute(counter, (task.latest_seq, task.task_id))

    def remove_task(self, task_id: str) -> None:
        self.execute("DELETE FROM tasks WHERE task_id = ?", (task_id,))
        self.execute("DELETE FROM task_event_seq_counters WHERE task_id = ?", (task_id,))
