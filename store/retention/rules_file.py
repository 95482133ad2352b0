"""The rules of retention, read again when their file changes."""

from __future__ import annotations

import time
from pathlib import Path

from signalbox.store.retention.errors import InvalidRetention
from signalbox.store.retention.rules import Retention

CHECK_SECONDS = 1.0


class RetentionFile:
    """The present rules. While a changed file cannot be used, the last good rules stay in force.

    The arguments are those of `Retention`. Raises InvalidRetention if the first rules are not valid.
    """

    def __init__(
        self, text: str = "", *, cold_after: float = 0.0, delete_after: float = 0.0, max_store_bytes: int = 0
    ) -> None:
        text = text.strip()
        self._path = Path(text) if text and not text.startswith("{") else None
        self._plain = (cold_after, delete_after, max_store_bytes)
        self._stamp = self._stamp_now()
        self._checked_at = time.monotonic()
        self._rules = self._read(text)
        self._problem = ""

    @property
    def rules(self) -> Retention:
        """The rules, of which a changed file is read at most once a second."""
        self._read_if_changed()
        return self._rules

    @property
    def problem(self) -> str:
        """The reason why the present file is not used, or ""."""
        self._read_if_changed()
        return self._problem

    def _read(self, text: str) -> Retention:
        cold_after, delete_after, max_store_bytes = self._plain
        return Retention(text, cold_after=cold_after, delete_after=delete_after, max_store_bytes=max_store_bytes)

    def _read_if_changed(self) -> None:
        now = time.monotonic()
        if self._path is None or now - self._checked_at < CHECK_SECONDS:
            return
        self._checked_at = now
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._rules, self._problem = self._read(str(self._path)), ""
        except InvalidRetention as error:
            self._problem = str(error)

    def _stamp_now(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat() if self._path is not None else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size) if found else None
