"""The run around the caller, for code that does not get it as an argument: a job that the run enqueues, a handler."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, NamedTuple

from signalbox.store.emitter.scope import SpanScope
from signalbox.store.emitter.steps import innermost


class CurrentRun(NamedTuple):
    """An open run: its scope, the identity of its task (None on an older server), and the URL of its log."""

    scope: SpanScope[Any]
    identity: str | None
    log_url: str


innermost_run: ContextVar[CurrentRun | None] = ContextVar("signalbox_innermost_run", default=None)
"""The innermost run that is open around the caller in this thread or asyncio task."""


def current_run() -> CurrentRun | None:
    """Return the innermost run around the caller. Its `scope` is the innermost open step of the run, or the run."""
    current, step = innermost_run.get(), innermost.get()
    run: object = step.run if step is not None else None
    if current is not None and step is not None and run is current.scope:
        return current._replace(scope=step)
    return current
