"""The checks of `signalbox doctor`: they find faults in a database and advise what to do. They change nothing."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from itertools import islice
from pathlib import Path

from signalbox.store.errors import SchemaTooNew
from signalbox.store.sql.findings import MAX_FINDINGS, Finding, compare_tasks
from signalbox.store.sql.removal import PARTS, PRESENT
from signalbox.store.sqlite.file_uri import uri
from signalbox.store.sqlite.migrations import applied, empty_database, known, unknown_migrations
from signalbox.store.sqlite.payloads import add_functions
from signalbox.store.sqlite.views import SQLITE

RESTORE = (
    "stop every process that uses it, keep a copy, and put a backup in its place;"
    " without one, `sqlite3 FILE .dump | sed 's/^ROLLBACK.*/COMMIT;/' | sqlite3 NEW` saves all readable rows"
)

READABLE = "run this as a user who may read the file and its folder; see whether the disk has room"
MIN_FREE_BYTES = 1024 * 1024
"""Free bytes of a disk below which it counts as full."""

_REFUSALS = (
    *(sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH, sqlite3.SQLITE_READONLY),
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL, sqlite3.SQLITE_NOMEM),
)


def examine(path: Path) -> Iterator[Finding]:
    """Yield the faults of the database at `path` as they are found."""
    yield from _files(path)
    if not path.is_file():
        yield Finding("missing", f"there is no database {path}", "check the path, or put a backup there")
        return
    disk = os.statvfs(path)
    if (free := disk.f_bavail * disk.f_frsize) < MIN_FREE_BYTES:
        yield Finding("disk_full", f"the disk of {path} has {free:,} bytes left", "make room: nothing can be stored")
    try:
        with closing(sqlite3.connect(uri(path, read_only=True), uri=True, timeout=5.0, isolation_level=None)) as db:
            yield from _database(db)
    except sqlite3.DatabaseError as error:
        yield _unreadable("the database cannot be read", error)


def _unreadable(what: str, error: sqlite3.DatabaseError) -> Finding:
    """Return the finding of an error. It is no damage if the system does not let this process read."""
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in _REFUSALS:
        return Finding("unreadable", f"{what}: {error}", READABLE)
    return Finding("damaged", f"{what}: {error}", RESTORE)


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
    checks = [_integrity, _payloads, _missing_indexes, _orphaned_rows, _counters, _projections]
    if missing := sorted(known_names - applied_names):
        yield Finding(
            "old", f"it was written by an older Signalbox: {', '.join(missing)}", "start the server once: it migrates"
        )
        checks = [_integrity]
    for check in checks:
        try:
            yield from check(db)
        except sqlite3.DatabaseError as error:
            yield _unreadable("a check could not be completed", error)


def _integrity(db: sqlite3.Connection) -> Iterator[Finding]:
    for (fault,) in db.execute(f"PRAGMA integrity_check({MAX_FINDINGS})").fetchall():
        if fault != "ok":
            yield Finding("damaged", str(fault).replace("\n", "; "), RESTORE)


def _payloads(db: sqlite3.Connection) -> Iterator[Finding]:
    add_functions(db)
    sql = (
        "SELECT task_id, seq FROM task_events WHERE typeof(payload) = 'blob' AND signalbox_text(payload) IS NULL"
        " OR typeof(plain) = 'blob' AND signalbox_text(plain) IS NULL"
    )
    for task_id, seq in db.execute(sql).fetchmany(MAX_FINDINGS):
        yield Finding("payload", f"task {task_id}: the payload of event #{seq} cannot be read", RESTORE)


def _missing_indexes(db: sqlite3.Connection) -> Iterator[Finding]:
    names = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
    with closing(empty_database()) as empty:
        expected = {name for (name,) in empty.execute(names)}
    for name in sorted(expected - {name for (name,) in db.execute(names)}):
        yield Finding("no_index", f"the index {name} is missing, so some pages are slow", RESTORE)


def _orphaned_rows(db: sqlite3.Connection) -> Iterator[Finding]:
    # The rows of deleted tasks are expected to be loose until they are removed.
    removing = db.execute("SELECT 1 FROM task_removals LIMIT 1").fetchone() is not None
    tables = {part.table for part in PARTS} if removing else set()
    loose = (row for row in db.execute("PRAGMA foreign_key_check") if row[0] not in tables)
    for table, rowid, parent, _ in islice(loose, MAX_FINDINGS):
        yield Finding("loose_row", f"row {rowid} of {table} refers to a missing row of {parent}", RESTORE)
    for table in sorted(tables):
        sql = (
            f"SELECT count(*), min(task_id) FROM {table} WHERE {PRESENT} AND task_id NOT IN (SELECT task_id FROM tasks)"
        )
        rows, task_id = db.execute(sql).fetchone()
        if rows:
            yield Finding("loose_row", f"{rows} rows of {table} belong to missing tasks, such as {task_id}", RESTORE)


def _counters(db: sqlite3.Connection) -> Iterator[Finding]:
    sql = """
        SELECT tasks.task_id, last_seq, n, first, last FROM tasks
        LEFT JOIN task_event_seq_counters USING (task_id)
        LEFT JOIN (SELECT task_id, count(*) AS n, min(seq) AS first, max(seq) AS last
                   FROM task_events GROUP BY task_id) USING (task_id)
        WHERE (last_seq IS NOT coalesce(last, 0) OR n <> last - first + 1)
        AND task_id NOT IN (SELECT task_id FROM cold_tasks WHERE stage <> 'packing')
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
    yield from compare_tasks(db.execute, SQLITE, sqlite3.DatabaseError, RESTORE)


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
