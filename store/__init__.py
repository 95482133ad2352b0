"""Signalbox's event store: a strictly ordered log per task.

store = open_store("sqlite:///signalbox.db")
with open_task(store, "nightly", title="Nightly build") as task:
    task.log("hello")
"""

from __future__ import annotations

from typing import TypeVar

from signalbox.store.cold.found_damage import FoundDamage
from signalbox.store.cold.moves.mover import ColdMover
from signalbox.store.cold.moves.places import places_of
from signalbox.store.cold.reading import ColdFileReaders
from signalbox.store.contract import Head, LogHits, LogQuery, Reading, Store, TaskPage, TaskReading, TaskRecord, Who
from signalbox.store.emitter import Answer, AsyncEmitter, Emitter, Run, open_task
from signalbox.store.errors import (
    Conflict,
    InvalidEvent,
    NotAllowed,
    NotFound,
    NotSupported,
    SchemaTooNew,
    StoreClosed,
    StoreDamaged,
    StoreError,
    StoreMoved,
    StoreUnavailable,
    TaskReplaced,
    UnknownStoreKind,
    UnknownTask,
)
from signalbox.store.events import Event, NewEvent
from signalbox.store.kinds import is_postgresql, is_server, postgresql_extra, sqlite_path, unknown_kind
from signalbox.store.sql.database_store import DatabaseStore
from signalbox.store.sqlite import SqliteStore
from signalbox.store.task_query import SORTS, SavedView, Sort, TaskQuery

__all__ = [
    "SORTS",
    "Answer",
    "AsyncEmitter",
    "Conflict",
    "Emitter",
    "Event",
    "Head",
    "InvalidEvent",
    "LogHits",
    "LogQuery",
    "NewEvent",
    "NotAllowed",
    "NotFound",
    "NotSupported",
    "Reading",
    "Run",
    "SavedView",
    "SchemaTooNew",
    "Sort",
    "Store",
    "StoreClosed",
    "StoreDamaged",
    "StoreError",
    "StoreMoved",
    "StoreUnavailable",
    "TaskPage",
    "TaskQuery",
    "TaskReading",
    "TaskRecord",
    "TaskReplaced",
    "UnknownStoreKind",
    "UnknownTask",
    "Who",
    "open_store",
    "open_task",
]


S = TypeVar("S", bound=DatabaseStore)


def open_store(
    url: str,
    *,
    synchronous: str = "NORMAL",
    bus: str | None = None,
    token: str | None = None,
    cold_storage: str | None = None,
) -> Store:
    """Open the store at `url`.

    - `sqlite:///relative.db` or `sqlite:////absolute/file.db`: a file. `synchronous` is SQLite's setting: with NORMAL a
      power loss does not damage the database but may lose the last commits, with FULL it loses none.
    - `postgresql://USER:PASSWORD@HOST/DATABASE`: a database on a server; the extra `signalbox-console[postgresql]`.
      `bus` is the URL of a Redis server, such as `redis://HOST:6379`, that wakes the other processes after a commit;
      the extra `signalbox-console[redis]`. Without it PostgreSQL wakes them. SQLite needs no bus and ignores it.

    - `https://HOST` or `http://HOST`: the store of a Signalbox server, with the rights of `token`. It has the writes of
      runs and the reads that the API offers: see `store.remote.store`. Events wait on disk while the server is away:
      see `store.remote.spooled`.

    `cold_storage` is the directory or the bucket, such as `s3://BUCKET/PREFIX`, for tasks that move to cold storage
    from now on. By default it is the directory `FILE.cold` beside a SQLite file; PostgreSQL has no default.

    Raises UnknownStoreKind, SchemaTooNew or StoreUnavailable, and InvalidEvent for a bad URL of a server or token.
    """
    if (path := sqlite_path(url)) is not None:
        return _with_cold_storage(SqliteStore(path, url, synchronous=synchronous), cold_storage)
    if is_postgresql(url):
        with postgresql_extra():
            from signalbox.store.postgresql import PostgresStore
        return _with_cold_storage(PostgresStore(url, bus=bus), cold_storage)
    if is_server(url):
        # An HTTP client takes long to load, and most programs need none.
        from signalbox.store.remote.store import RemoteStore

        return RemoteStore(url, token)
    raise unknown_kind(url)


def load_store(url: str) -> None:
    """Load the modules that `open_store` needs for `url`. Raises UnknownStoreKind if an extra is missing."""
    if is_postgresql(url):
        with postgresql_extra():
            import signalbox.store.postgresql
    elif is_server(url):
        import signalbox.store.remote.store  # noqa: F401


def _with_cold_storage(store: S, place: str | None) -> S:
    places = places_of(store.url, place)
    found_damage = FoundDamage()
    mover = ColdMover(store, places, found_damage)
    store.cold, store.cold_files, store.cold_readers = mover, mover, ColdFileReaders(places, found_damage)
    return store
