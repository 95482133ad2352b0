"""The cold files that reads of this process found damaged."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from signalbox.store.cold.errors import ColdFileMissing
from signalbox.store.errors import ColdFileDamaged

KEPT_SECONDS = 3600.0
"""Seconds for which a file counts as damaged after a read. If it was repaired meanwhile, no read finds it again."""


class FoundDamage:
    """Collects damaged files. Any thread may use it."""

    def __init__(self) -> None:
        self._found: dict[str, float] = {}

    @contextmanager
    def noting(self) -> Iterator[None]:
        """Note the file if a read in the `with` block finds it damaged. Missing files are found by `amissing`."""
        try:
            yield
        except ColdFileMissing:
            raise
        except ColdFileDamaged as error:
            self._found[error.name] = time.monotonic()
            raise

    def count(self) -> int:
        """Return the number of files that were found damaged in the last hour."""
        oldest = time.monotonic() - KEPT_SECONDS
        self._found = {name: at for name, at in self._found.copy().items() if at > oldest}
        return len(self._found)
