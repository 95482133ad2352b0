"""An event loop in its own thread, for an object whose connections belong to one loop but whose callers do not."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for callers in other threads and other loops.

    The daemon thread starts at the first call, and again in a forked process.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._process = 0
        self._stopped = False

    @property
    def running(self) -> bool:
        """Whether the thread was started in this process and not stopped."""
        return self._loop is not None and self._process == os.getpid() and not self._stopped

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop and block until it ends. Raises RuntimeError after `stop()`.

        If the caller is interrupted, the coroutine is cancelled.
        """
        future = self._submit(coroutine)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    async def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the loop, for a caller in any loop. If the caller is cancelled, so is the coroutine."""
        if asyncio.get_running_loop() is self._loop:
            return await coroutine
        return await asyncio.wrap_future(self._submit(coroutine))

    def start(self, coroutine: Coroutine[Any, Any, object]) -> None:
        """Run a coroutine in the loop without waiting for it. Does nothing after `stop()`.

        This is for finalizers, which the garbage collector may call in any thread, even in the loop's own.
        """
        with suppress(RuntimeError):
            self._submit(coroutine)

    def stop(self) -> None:
        """Cancel all coroutines in the loop, and end the thread."""
        with self._lock:
            running, self._stopped = self.running, True
        if running and self._loop is not None and self._thread is not None:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()

    def _submit(self, coroutine: Coroutine[Any, Any, T]) -> Future[T]:
        with self._lock:
            if self._stopped:
                coroutine.close()
                raise RuntimeError(f"the thread {self._name} was stopped")
            if self._loop is None or not self.running:
                self._loop, self._process = asyncio.new_event_loop(), os.getpid()
                self._thread = threading.Thread(target=_serve, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        remaining = asyncio.all_tasks(loop)
        for task in remaining:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*remaining, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
