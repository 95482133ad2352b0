"""The rules of a server, read again when their file changes."""

from __future__ import annotations

import time
from pathlib import Path

from signalbox.webapp.coding_agents.rules import InvalidRules, Rules

CHECK_SECONDS = 1.0


class RulesFile:
    """The present rules. If a changed file is not valid, the rules before it stay in force.

    Raises InvalidRules if the first ones are not valid.
    """

    def __init__(self, text: str) -> None:
        self._path = None if not text.strip() or text.strip().startswith("{") else Path(text.strip())
        self._stamp = self._stamp_now()
        self._checked_at = time.monotonic()
        self._rules = Rules(text)
        self._problem = ""

    @property
    def problem(self) -> str:
        """The reason why the present file is not used, or ""."""
        self._read_if_changed()
        return self._problem

    @property
    def rules(self) -> Rules:
        """The rules, of which a changed file is read at most once a second."""
        self._read_if_changed()
        return self._rules

    def _read_if_changed(self) -> None:
        now = time.monotonic()
        if self._path is not None and now - self._checked_at >= CHECK_SECONDS:
            self._checked_at = now
            stamp = self._stamp_now()
            if stamp != self._stamp:
                self._stamp = stamp
                self._read_again(self._path)

    def _read_again(self, path: Path) -> None:
        try:
            self._rules, self._problem = Rules(str(path)), ""
        except InvalidRules as error:
            self._problem = f"the hook rules in {path} are not used: {error}"

    def _stamp_now(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat() if self._path is not None else None
        except OSError:
            return None
        return (found.st_mtime_ns, found.st_size) if found else None
