"""Blocking forms of coroutine methods. Each call is written once, for asyncio, and its blocking form is derived.

    class Writing(Blocking):
        async def aappend(self, task_id, events): ...

        append = blocking(aappend)

As in Django, the coroutine has the prefix `a`. The blocking form has the same parameters, result and errors.
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
        """Run a coroutine of one of this object's own methods, and return its result or raise its error.

        Blocks the calling thread, which may be the thread of an event loop.
        """


def blocking(method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[S, P], T]:
    """Return the blocking form of a coroutine method, which calls `wait`. It also works for overriding methods."""
    name = method.__name__

    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        coroutine: Coroutine[Any, Any, T] = getattr(self, name)(*args, **kwargs)
        return self.wait(coroutine)

    # Not functools.wraps: it would copy the mark of an abstract method.
    call.__name__ = name.removeprefix("a")
    call.__qualname__ = method.__qualname__.replace(name, call.__name__)
    call.__module__, call.__doc__ = method.__module__, f"Do the same as `{name}`, without an event loop. Blocks."
    call.__wrapped__ = method  # type: ignore[attr-defined]  # inspect.signature reads it
    return call


def run_without_waiting(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that awaits nothing outside itself, and return its result. Raises RuntimeError if it waits."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    coroutine.close()
    raise RuntimeError("this coroutine needs an event loop: await it, or use asyncio.run")


class _ThreadState(threading.local):
    blocking = False


class InPlace:
    """Implements `wait` for objects whose work blocks anyway: a blocking caller does the work in its own thread.

    The coroutines may await only `off_the_loop`, or must check `blocking` first. In asyncio, `off_the_loop` uses the
    threads of `executor`, by default those of the event loop.
    """

    def __init__(self, executor: Executor | None = None) -> None:
        self._executor = executor
        # Not a ContextVar: callbacks scheduled during the call would inherit its value.
        self._thread_state = _ThreadState()

    @property
    def blocking(self) -> bool:
        """Whether the coroutine running in this thread was called in its blocking form."""
        return self._thread_state.blocking

    async def off_the_loop(self, call: Callable[[], T], executor: Executor | None = None) -> T:
        """Call a function that blocks: in this thread for a blocking caller, else in a thread of the executor.

        `executor` is another one than usual.
        """
        if self._thread_state.blocking:
            return call()
        return await asyncio.get_running_loop().run_in_executor(executor or self._executor, call)

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the calling thread without an event loop. Raises RuntimeError if it needs one."""
        state = self._thread_state
        outer, state.blocking = state.blocking, True
        try:
            return run_without_waiting(coroutine)
        finally:
            state.blocking = outer
