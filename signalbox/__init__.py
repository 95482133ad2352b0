"""Signalbox: a strictly ordered event log for each long-running task, shown as web pages that update themselves.

from signalbox import open_store, open_task

store = open_store("sqlite:///signalbox.db")
with open_task(store, "nightly", title="Nightly build") as task:
    task.log("hello")

The names in `__all__` are the public interface for programs. `signalbox.store` is the event store, `signalbox.webapp`
the server, `signalbox.integrations` has a module for each library that can report here.

Importing `signalbox` loads none of them: a name is loaded when it is first used. So a program that only adds a logging
handler starts as fast as before.
"""

# ruff: noqa: F403, F405

from __future__ import annotations

TYPE_CHECKING = False  # from typing, whose import would take longer than everything else here
if TYPE_CHECKING:
    from typing import Any

    from signalbox import store as store
    from signalbox.store import *
    from signalbox.store.remote import RemoteLog as RemoteLog

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
    "RemoteLog",
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


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name == "store":
        return import_module("signalbox.store")
    if name not in __all__:
        raise AttributeError(f"module 'signalbox' has no attribute {name!r}")
    module = import_module("signalbox.store.remote" if name == "RemoteLog" else "signalbox.store")
    value = globals()[name] = getattr(module, name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "store"})
