"""Blocking forms of coroutine methods: each call is written once, for asyncio, and plain threads get the same call.

    class Writing(Blocking):
        async def aappend(self, task_id, events): ...

        append = blocking(aappend)

As in Django, the coroutine has the prefix `a`, and the blocking form has the same parameters, answer and errors.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
S = TypeVar("S", bound="Blocking")
T = TypeVar("T")


class Blocking(ABC):
    """An object whose coroutine methods have blocking forms."""

    @abstractmethod
    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of one of this object's own methods to its end, and return its answer or raise its error.

        It blocks the calling thread, which may be the thread of an event loop.
        """


def blocking(method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[S, P], T]:
    """The blocking form of a coroutine method, by way of `wait`. A class that overrides the method needs no other."""
    name = method.__name__

    def call(self: S, /, *args: P.args, **more: P.kwargs) -> T:
        coroutine: Coroutine[Any, Any, T] = getattr(self, name)(*args, **more)
        return self.wait(coroutine)

    # Not functools.wraps: it would copy that the method is abstract.
    call.__name__ = name.removeprefix("a")
    call.__qualname__ = method.__qualname__.replace(name, call.__name__)
    call.__module__, call.__doc__ = method.__module__, f"`{name}` for code without an event loop: it blocks."
    call.__wrapped__ = method  # type: ignore[attr-defined]  # inspect.signature reads it
    return call
