"""Signalbox: a strictly ordered event log for each long-running task, shown as web pages that update themselves.

from signalbox import open_store, open_task

store = open_store("sqlite:///signalbox.db")
with open_task(store, "nightly", title="Nightly build") as task:
    task.log("hello")

The names in `__all__` are the public interface for programs. `signalbox.store` is the event store, `signalbox.webapp`
the server. Importing `signalbox` loads neither the server nor an HTTP client: `RemoteLog` is loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from signalbox import store
from signalbox.store import *  # noqa: F403

if TYPE_CHECKING:
    from signalbox.store.remote import RemoteLog

__all__ = [*store.__all__, "RemoteLog"]


def __getattr__(name: str) -> Any:
    if name == "RemoteLog":
        from signalbox.store.remote import RemoteLog

        return RemoteLog
    raise AttributeError(f"module 'signalbox' has no attribute {name!r}")
