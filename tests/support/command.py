"""The command `signalbox` as a person starts it: a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import IO, Any

RUN = (sys.executable, "-m", "webapp")


def environment(**more: str) -> dict[str, str]:
    """The environment of a person who has set nothing of ours."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX_")}
    return {**clean, **more}


def signalbox(
    *arguments: str, input: str | None = None, timeout: float = 60, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run a command line to its end; `more` are environment variables."""
    return subprocess.run(
        [*RUN, *arguments],
        input=input,
        stdin=subprocess.DEVNULL if input is None else None,
        capture_output=True,
        text=True,
        timeout=timeout,
        env=environment(**more),
    )


def start(*arguments: str, stdout: int | IO[Any] = subprocess.PIPE, **more: str) -> subprocess.Popen[str]:
    """Start a command line."""
    return subprocess.Popen(
        [*RUN, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(**more),
    )
