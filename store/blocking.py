"""Blocking forms of coroutine methods: each call is written once, for asyncio, and plain threads get the same call.

    class Writing(Blocking):
        async def aappend(self, task_id, events): ...

        append = blocking(aappend)

As in Django, the coroutine has the prefix `a`, and the blocking form has the same parameters, answer and errors.
"""

from __future__ import annotations

import asyncio
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
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
    """Return the blocking form of a coroutine method, by way of `wait`. A class that overrides the method needs no other."""
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


class _Here(threading.local):
    blocking = False


class InPlace:
    """A `wait` for objects whose work blocks anyway: a blocking caller does it in its own thread, at no extra cost.

    The coroutines await nothing but `off_the_loop`, or look at `blocking` first. In asyncio `off_the_loop` uses the
    threads of `executor`, by default those of the event loop.
    """

    def __init__(self, executor: Executor | None = None) -> None:
        self._executor = executor
        # Not a ContextVar: callbacks that are scheduled meanwhile would inherit it.
        self._here = _Here()

    @property
    def blocking(self) -> bool:
        """Whether the coroutine that runs in this thread was called in its blocking form."""
        return self._here.blocking

    async def off_the_loop(self, call: Callable[[], T]) -> T:
        """Call a function that blocks, in another thread if there is an event loop that must not wait."""
        if self._here.blocking:
            return call()
        return await asyncio.get_running_loop().run_in_executor(self._executor, call)

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the calling thread, without an event loop."""
        here = self._here
        outer, here.blocking = here.blocking, True
        try:
            coroutine.send(None)
        except StopIteration as done:
            answer: T = done.value
            return answer
        finally:
            here.blocking = outer
        coroutine.close()
        raise RuntimeError("this coroutine needs an event loop: await it, or use asyncio.run")
