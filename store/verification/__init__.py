"""Verification of the logs in a database, without a server: a SQLite file, a backup, or a PostgreSQL database.

The database is opened for reading only, and each task is read from one consistent state.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from signalbox.store.chain.findings import LogReport
from signalbox.store.chain.heads import CheckingKey, SignedHead
from signalbox.store.chain.keys import StoreKey
from signalbox.store.chain.verification import verify
from signalbox.store.cold.moves.places import SUFFIX
from signalbox.store.errors import ColdFileDamaged, UnknownTask
from signalbox.store.kinds import is_postgresql, postgresql_extra, sqlite_path, unknown_kind
from signalbox.store.sql import log_links
from signalbox.store.verification.cold_entries import cold_entries, file_of, files_of_tasks
from signalbox.store.verification.source import LogSource

__all__ = ["LogSource", "events_by_person", "open_source", "verify_task"]


def open_source(url: str, cold_storage: str | None = None) -> AbstractContextManager[LogSource]:
    """Open the database at `url` for verification.

    Cold files without a place are in the directory beside a SQLite file, else in `cold_storage`. Raises
    StoreUnavailable, UnknownStoreKind and SchemaTooNew.
    """
    if (path := sqlite_path(url)) is not None:
        from signalbox.store.verification.sqlite_source import sqlite_source

        beside = f"{path}{SUFFIX}"
        return sqlite_source(path, beside if cold_storage is None or Path(beside).is_dir() else cold_storage)
    if not is_postgresql(url):
        raise unknown_kind(url, "verify")
    with postgresql_extra():
        from signalbox.store.verification.postgresql_source import postgresql_source
    return postgresql_source(url, cold_storage)


def events_by_person(source: LogSource, person: str, task_id: str | None = None) -> Iterator[tuple[str, int]]:
    """Yield the task and the seq of each event by a person, in one task or in all, also in cold storage.

    `person` is the name in the log: see `log_links.is_by`. Raises ColdFileDamaged and StoreUnavailable if a cold file
    cannot be read.
    """
    with source.snapshot():
        yield from log_links.events_by_person(source.query, person, task_id)
        for name, file in files_of_tasks(source.query) if source.has_cold else ():
            if task_id in (None, name):
                events = (entry.event for entry in cold_entries(source, name, file))
                yield from ((name, event.seq) for event in events if log_links.is_by(event, person))


def verify_task(
    source: LogSource,
    task_id: str,
    heads: Sequence[SignedHead] = (),
    keys: Collection[CheckingKey] = (),
    *,
    must_be_signed: bool = False,
) -> LogReport:
    """Verify the log of one task. `heads` are published ones, of any tasks.

    Raises UnknownTask, and ColdPlaceUnavailable for a task in cold storage whose place cannot be used now.
    """
    with source.snapshot():
        claims = log_links.claims_of(source.query, task_id, linked=source.linked)
        if claims is None:
            raise UnknownTask(task_id)
        stored = log_links.heads_of(source.query, task_id) if source.linked else []
        identities = {claims.identity, *(head.identity for head in stored)}
        stored += [head for head in heads if head.identity in identities and head not in stored]
        own = [StoreKey(source.key)] if source.key is not None else []
        entries, file = source.entries(task_id), file_of(source.query, task_id) if source.has_cold else None
        if file is not None:
            entries = cold_entries(source, task_id, file)
        try:
            return verify(claims, entries, stored, [*own, *keys], must_be_signed=must_be_signed)
        except ColdFileDamaged as error:
            report = LogReport(task_id=task_id, latest_seq=claims.latest_seq, ended=claims.ended)
            report.add("unreadable", None, str(error))
            return report
