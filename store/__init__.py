"""Signalbox's event store: a strictly ordered log per task.

store = open_store("sqlite:///signalbox.db")
with open_task(store, "nightly", title="Nightly build") as task:
    task.log("hello")
"""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote, urlsplit

from signalbox.store.contract import Head, LogHits, LogQuery, Reading, Store, TaskPage, TaskReading, TaskRecord, Who
from signalbox.store.emitter import Answer, AsyncEmitter, Emitter, Run, open_task
from signalbox.store.errors import (
    Conflict,
    InvalidEvent,
    NotAllowed,
    NotFound,
    SchemaTooNew,
    StoreClosed,
    StoreDamaged,
    StoreError,
    StoreUnavailable,
    TaskReplaced,
    UnknownStoreKind,
    UnknownTask,
)
from signalbox.store.events import Event, NewEvent
from signalbox.store.sqlite import SqliteStore
from signalbox.store.task_list import SORTS, SavedView, Sort, TaskQuery

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
    "Reading",
    "Run",
    "SavedView",
    "SchemaTooNew",
    "Sort",
    "Store",
    "StoreClosed",
    "StoreDamaged",
    "StoreError",
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

_UNSUPPORTED = {
    "postgresql": "PostgreSQL is not supported yet; use sqlite:///FILE",
    "postgres": "PostgreSQL is not supported yet; use sqlite:///FILE",
    "https": "a remote store is not supported yet; use sqlite:///FILE, or the command's --server URL",
    "http": "a remote store is not supported yet; use sqlite:///FILE, or the command's --server URL",
}


def open_store(url: str, *, synchronous: str = "NORMAL") -> SqliteStore:
    """Open the store at `url`: `sqlite:///relative.db` or `sqlite:////absolute/file.db`.

    `synchronous` is SQLite's setting: with NORMAL a power loss does not damage the database but may lose the last
    commits, with FULL it loses none. Raises UnknownStoreKind, SchemaTooNew or StoreUnavailable.
    """
    scheme = urlsplit(url).scheme
    if scheme in _UNSUPPORTED:
        raise UnknownStoreKind(f"cannot open {scheme}://…: {_UNSUPPORTED[scheme]}")
    if not url.startswith("sqlite:///") or url == "sqlite:///":
        raise UnknownStoreKind(f"cannot open {url!r}: a store URL looks like sqlite:///signalbox.db")
    path = Path(unquote(url.removeprefix("sqlite:///")))
    return SqliteStore(path.absolute(), url, synchronous=synchronous)
