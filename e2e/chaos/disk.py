"""A small separate disk for the database and an adjustable clock, where the machine allows them."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.support import faketime

SIZE = "96m"


class Disk:
    """A tmpfs mounted at `folder`. Where mounting is not allowed, `limited` is False and the disk never gets full."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.limited = False
        if os.geteuid() == 0 and shutil.which("mount"):
            command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "signalbox-chaos", str(folder)]
            self.limited = subprocess.run(command, capture_output=True).returncode == 0

    def fill(self) -> None:
        """Fill the disk to the last byte."""
        block = bytes(1 << 20)
        with (self.folder / "filler").open("ab", buffering=0) as filler, suppress(OSError):
            while True:
                filler.write(block[: max(1, min(len(block), self._free()))])

    def empty(self) -> None:
        """Free the space again."""
        (self.folder / "filler").unlink(missing_ok=True)

    def close(self) -> None:
        if self.limited:
            subprocess.run(["umount", "-l", str(self.folder)], check=True)

    def _free(self) -> int:
        state = os.statvfs(self.folder)
        return state.f_bavail * state.f_frsize


class Clock:
    """The wall clock that the server sees, adjusted by libfaketime. Without that library `variables` is empty."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self.variables: dict[str, str] = {}
        if library := faketime.library():
            self.variables = {
                "LD_PRELOAD": str(library),
                "FAKETIME_TIMESTAMP_FILE": str(self._file),
                "FAKETIME_CACHE_DURATION": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
                # The workaround of libfaketime 0.9.10 for an old glibc ends waits with a time limit too early: an idle
                # server used half a core.
                "FAKETIME_FORCE_MONOTONIC_FIX": "0",
            }
        self.step(0)

    def step(self, seconds: int) -> None:
        """Set the clock `seconds` ahead (or behind) of the real time. The server sees it within a second."""
        new_file = self._file.with_suffix(".new")
        new_file.write_text(f"{seconds:+d}s\n")
        new_file.replace(self._file)
