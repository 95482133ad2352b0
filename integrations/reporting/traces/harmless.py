"""Callbacks that never raise into the library that calls them."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

log = logging.getLogger("signalbox.integrations")

P = ParamSpec("P")
R = TypeVar("R")


def harmless(callback: Callable[P, R]) -> Callable[P, R]:
    """Return a callback that logs its errors instead of raising them, and returns None then. Also for coroutines."""
    if inspect.iscoroutinefunction(callback):

        @functools.wraps(callback)
        async def acall(*args: P.args, **kwargs: P.kwargs) -> Any:
            try:
                return await callback(*args, **kwargs)
            except Exception:
                _report(callback)

        return cast("Callable[P, R]", acall)

    @functools.wraps(callback)
    def call(*args: P.args, **kwargs: P.kwargs) -> Any:
        try:
            return callback(*args, **kwargs)
        except Exception:
            _report(callback)

    return call


def _report(callback: Callable[..., Any]) -> None:
    log.warning("signalbox could not report a call of %s", callback.__qualname__, exc_info=True)
