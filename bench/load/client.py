"""The bench's interface to the load client: build it on first use, start it, and read its figures."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from bench.process import Process

HERE = Path(__file__).parent
BINARY = HERE / ".build" / "sseload"


def build() -> list[str]:
    """Return the command of the load client: the compiled one, or the Python one if there is no C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if not compiler or not sys.platform.startswith("linux"):
        return [sys.executable, "-m", "bench.load.protocol_client"]
    sources = sorted(HERE.glob("*.c"))
    newest = max(path.stat().st_mtime for path in [*sources, *HERE.glob("*.h")])
    if not BINARY.exists() or BINARY.stat().st_mtime < newest:
        BINARY.parent.mkdir(exist_ok=True)
        flags = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror"]
        subprocess.run([compiler, *flags, "-o", BINARY, *sources], check=True)
    return [str(BINARY)]


class LoadClient(Process):
    """A running load client. Figures are dicts, as `report.c` prints them."""

    def __init__(self, port: int, path: str, streams: int, **options: Any) -> None:
        argv = [*build(), "--port", str(port), "--path", path, "--streams", str(streams)]
        for name, value in options.items():
            if value is not False and value is not None:
                argv += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
        super().__init__(argv, cores="others")

    def wait_ready(self, timeout: float = 60) -> dict[str, Any]:
        """Wait until every stream has its response head. Raise RuntimeError if some were refused."""
        ready = self.read_json("ready", timeout)
        if ready["failed"]:
            raise RuntimeError(f"{ready['failed']} of {ready['streams']} streams were refused")
        return ready

    def mark(self, name: str) -> dict[str, Any]:
        """End the current phase and begin another; return the figures of the ended phase."""
        self.send(f"mark {name}")
        return self.read_json("phase")

    def finish(self, timeout: float = 30) -> dict[str, Any]:
        """End the run and return its totals."""
        if self.alive:
            self.send("stop")
        return self.read_json("total", timeout)
