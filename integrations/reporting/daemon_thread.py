"""A daemon thread that starts when it is needed."""

from __future__ import annotations

import threading
from collections.abc import Callable


class DaemonThread:
    """A thread that runs `run`. `start` may be called at any time, by any thread, and starts it once."""

    def __init__(self, run: Callable[[], None], name: str) -> None:
        self._run, self._name = run, name
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    @property
    def started(self) -> bool:
        """Whether the thread was started."""
        return self._thread is not None

    @property
    def is_current(self) -> bool:
        """Whether the caller runs in this thread."""
        return threading.current_thread() is self._thread

    def start(self) -> None:
        """Start the thread unless it was started. Never blocks, so it may be called in a signal handler.

        While the interpreter shuts down, it starts no threads; then this does nothing.
        """
        if self._thread is not None or not self._starting.acquire(blocking=False):
            return  # it was started, or another thread starts it
        try:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError:
            pass
        finally:
            self._starting.release()

    def join(self, timeout: float) -> None:
        """Wait for the end of the thread, if it was started."""
        if self._thread is not None:
            self._thread.join(timeout)
