"""Spans for the work within the server: the writes of a request, and the frames that the streams get."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any

from opentelemetry.trace import Tracer, get_current_span

from signalbox.store import Store
from signalbox.webapp.live.stats import Observer, Stats

WRITES = ("aappend", "aappend_audited", "aappend_while", "acreate_task")
"""The writes of a store that are reported, each named without its `a`."""


def observe_store(store: Store, tracer: Tracer) -> None:
    """Report the writes of requests to a store. A write outside of a reported request costs one look-up more."""
    for name in WRITES:
        setattr(store, name, _observed(getattr(store, name), f"store {name[1:]}", tracer))


def observe_frames(stats: Stats, tracer: Tracer) -> None:
    """Report each flush of a lane to its streams, and each delivery of the tail."""
    stats.flush_seconds = ObservedDuration(stats.flush_seconds, "flush frames", tracer)
    stats.wake_seconds = ObservedDuration(stats.wake_seconds, "deliver events", tracer)


class ObservedDuration:
    """Observes durations in seconds that have just ended, and makes a span of each."""

    def __init__(self, observer: Observer, name: str, tracer: Tracer) -> None:
        self._observer, self._name, self._tracer = observer, name, tracer

    def observe(self, amount: float) -> None:
        """Observe a duration."""
        self._observer.observe(amount)
        now = time.time_ns()
        self._tracer.start_span(self._name, start_time=now - int(amount * 1e9)).end(now)


def _observed(
    call: Callable[..., Coroutine[Any, Any, Any]], name: str, tracer: Tracer
) -> Callable[..., Coroutine[Any, Any, Any]]:
    @wraps(call)
    async def observed(*given: Any, **named: Any) -> Any:
        if not get_current_span().is_recording():
            return await call(*given, **named)
        with tracer.start_as_current_span(name):
            return await call(*given, **named)

    return observed
