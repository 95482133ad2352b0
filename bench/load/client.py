"""The load client as the bench uses it: built on first use, started with options, asked for figures."""

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
    """The command of the load client: the compiled one, or the Python one where there is no C compiler."""
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
    """A running load client. Every figure it gives is a dict as `report.c` prints it."""

    def __init__(self, port: int, path: str, streams: int, **options: Any) -> None:
        argv = [*build(), "--port", str(port), "--path", path, "--streams", str(streams)]
        for name, value in options.items():
            if value is not False and value is not None:
                argv += [f"--{name.replace('_', '-')}"] + ([] if value is True else [str(value)])
        super().__init__(argv, cores="others")

    def wait_ready(self, timeout: float = 60) -> dict[str, Any]:
        """Wait until every stream has its response head. RuntimeError when some were refused."""
        ready = self.answer("ready", timeout)
        if ready["failed"]:
            raise RuntimeError(f"{ready['failed']} of {ready['streams']} streams were refused")
        return ready

    def mark(self, name: str) -> dict[str, Any]:
        """End the phase that runs and begin another; returns the figures of the one that ended."""
        self.say(f"mark {name}")
        return self.answer("phase")

    def finish(self, timeout: float = 30) -> dict[str, Any]:
        """End the run; returns the totals of it."""
        if self.alive:
            self.say("stop")
        return self.answer("total", timeout)
