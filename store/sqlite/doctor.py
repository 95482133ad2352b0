"""The checks of `signalbox doctor`: they find faults in a database and advise what to do. They change nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from signalbox.store.errors import SchemaTooNew
from signalbox.store.history import before_first_event
from signalbox.store.projections import apply
from signalbox.store.sql.rows import COLUMNS, event_of
from signalbox.store.sqlite.connection import uri
from signalbox.store.sqlite.migrations import applied, empty_database, known, unknown_migrations
from signalbox.store.state import Checkpoint, Permission, Phase, Span, Task, TaskState

MAX_FINDINGS = 20
"""Findings of one kind that are reported individually."""

RESTORE = (
    "stop every process that uses it, keep a copy, and put a backup in its place;"
    " without one, `sqlite3 FILE .dump | sed 's/^ROLLBACK.*/COMMIT;/' | sqlite3 NEW` saves all readable rows"
)
REIMPORT = (
    "export the task (export.ndjson?full=1), delete it, and import the file: this rebuilds its pages from its log"
)

_NOT_FROM_THE_LOG = ("archived_at", "stale")
_TABLES: tuple[tuple[str, type[Any], str, str], ...] = (
    ("task_phases", Phase, "phases", "phase"),
    ("task_spans", Span, "spans", "span_id"),
    ("task_checkpoints", Checkpoint, "checkpoints", "checkpoint_id"),
    ("task_permissions", Permission, "permissions", "request_id"),
)


class Finding(NamedTuple):
    """A fault, and the advice for it."""

    code: str
    message: str
    advice: str


def examine(path: Path) -> Iterator[Finding]:
    """Yield the faults of the database at `path` as they are found."""
    yield from _files(path)
    if not path.is_file():
        yield Finding("missing", f"there is no database {path}", "check the path, or put a backup there")
        return
    try:
        with closing(sqlite3.connect(uri(path, read_only=True), uri=True, timeout=5.0, isolation_level=None)) as db:
            yield from _database(db)
    except sqlite3.DatabaseError as error:
        yield Finding("damaged", f"the database cannot be read: {error}", RESTORE)


def _database(db: sqlite3.Connection) -> Iterator[Finding]:
    db.execute("BEGIN")
    applied_names, known_names = applied(db), {name for name, _ in known()}
    if not applied_names:
        yield Finding("foreign", "it is not a Signalbox database", "check the path, or put a backup there")
        return
    try:
        unknown_migrations(db)
    except SchemaTooNew as error:
        yield Finding("too_new", str(error), "upgrade Signalbox")
        return
    checks = [_integrity, _missing_indexes, _orphaned_rows, _counters, _projections]
    if missing := sorted(known_names - applied_names):
        yield Finding(
            "old", f"it was written by an older Signalbox: {', '.join(missing)}", "start the server once: it migrates"
        )
        checks = [_integrity]
    for check in checks:
        try:
            yield from check(db)
        except sqlite3.DatabaseError as error:
            yield Finding("damaged", f"a check could not be completed: {error}", RESTORE)


def _integrity(db: sqlite3.Connection) -> Iterator[Finding]:
    for (fault,) in db.execute(f"PRAGMA integrity_check({MAX_FINDINGS})").fetchall():
        if fault != "ok":
            yield Finding("damaged", str(fault).replace("\n", "; "), RESTORE)


def _missing_indexes(db: sqlite3.Connection) -> Iterator[Finding]:
    names = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    with closing(empty_database()) as empty:
        expected = {name for (name,) in empty.execute(names)}
    for name in sorted(expected - {name for (name,) in db.execute(names)}):
        yield Finding("no_index", f"the index {name} is missing, so some pages are slow", RESTORE)


def _orphaned_rows(db: sqlite3.Connection) -> Iterator[Finding]:
    for table, rowid, parent, _ in db.execute("PRAGMA foreign_key_check").fetchmany(MAX_FINDINGS):
        yield Finding("loose_row", f"row {rowid} of {table} refers to a missing row of {parent}", RESTORE)


def _counters(db: sqlite3.Connection) -> Iterator[Finding]:
    sql = """
        SELECT tasks.task_id, last_seq, n, first, last FROM tasks
        LEFT JOIN task_event_seq_counters USING (task_id)
        LEFT JOIN (SELECT task_id, count(*) AS n, min(seq) AS first, max(seq) AS last
                   FROM task_events GROUP BY task_id) USING (task_id)
        WHERE last_seq IS NOT coalesce(last, 0) OR n <> last - first + 1
    """
    for task_id, counter, events, first, last in db.execute(sql).fetchmany(MAX_FINDINGS):
        log = f"{events} events, #{first} to #{last}" if events else "no events"
        yield Finding("counter", f"task {task_id}: the counter is {counter}, but the log has {log}", RESTORE)
    last_id, counted = db.execute(
        "SELECT (SELECT max(event_id) FROM task_events), (SELECT seq FROM sqlite_sequence WHERE name = 'task_events')"
    ).fetchone()
    if (last_id or 0) > (counted or 0):
        yield Finding("counter", f"the last event id is {last_id}, but the counter of event ids is {counted}", RESTORE)


def _projections(db: sqlite3.Connection) -> Iterator[Finding]:
    reported = 0
    for (task_id,) in db.execute("SELECT task_id FROM tasks ORDER BY task_id").fetchall():
        try:
            wrong = _differences(db, task_id)
        except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
            wrong = [f"its stored state cannot be read ({error})"]
        except sqlite3.DatabaseError as error:
            yield Finding("damaged", f"task {task_id} cannot be read: {error}", RESTORE)
            continue
        if wrong:
            reported += 1
            if reported > MAX_FINDINGS:
                yield Finding("projection", "more tasks differ from their log", REIMPORT)
                return
            yield Finding("projection", f"task {task_id} differs from its log: {', '.join(wrong)}", REIMPORT)


def _differences(db: sqlite3.Connection, task_id: str) -> list[str]:
    """Return the names of the stored fields and parts of a task that differ from the fold of its log."""
    (stored,) = db.execute("SELECT state FROM tasks WHERE task_id = ?", (task_id,)).fetchone()
    task = msgspec.json.decode(stored, type=Task)
    state = TaskState(task=before_first_event(task))
    for row in db.execute(f"SELECT {COLUMNS} FROM task_events WHERE task_id = ? ORDER BY seq", (task_id,)):
        apply(state, event_of(row))
    fields, folded = (msgspec.structs.asdict(task_value) for task_value in (task, state.task))
    wrong = [name for name in fields if name not in _NOT_FROM_THE_LOG and fields[name] != folded[name]]
    for table, kind, noun, key in _TABLES:
        rows = db.execute(f"SELECT {key}, state FROM {table} WHERE task_id = ?", (task_id,))
        found = {name: msgspec.json.decode(text, type=kind) for name, text in rows}
        if found != getattr(state, noun):
            wrong.append(noun)
    return wrong


def _files(path: Path) -> Iterator[Finding]:
    """Yield findings about files of lost databases: files beside this one, and deleted files that are open (Linux)."""
    for file in sorted(path.parent.glob(f"{path.name}-wal.of-lost-*")):
        yield Finding(
            "leftover",
            f"{file.name} is the write-ahead log of a database that was lost from this path",
            "delete it, or keep it with that database as NAME-wal",
        )
    for pid, command, file_name in open_files(path):
        if file_name.endswith(" (deleted)"):
            yield Finding(
                "deleted_file",
                f"process {pid} ({command}) has {file_name} open, which was deleted meanwhile",
                "Signalbox notices within a second and opens the new one; stop any other program",
            )


def open_files(path: Path) -> list[tuple[int, str, str]]:
    """Return (pid, command, file) for each process that has the database, its WAL or its shm file open.

    Processes that this user may not inspect are left out.
    """
    names = {f"{path}{ending}{gone}" for ending in ("", "-wal", "-shm") for gone in ("", " (deleted)")}
    found: set[tuple[int, str, str]] = set()
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            held = {os.readlink(descriptor) for descriptor in (process / "fd").iterdir()} & names
            if held and process.name != str(os.getpid()):
                command = (process / "comm").read_text().strip()
                found.update((int(process.name), command, name) for name in held)
    return sorted(found)
