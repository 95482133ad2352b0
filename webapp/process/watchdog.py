"""Ends a command whose `signalbox run` was killed, by a small shell that waits until this process is gone."""

from __future__ import annotations

import math
import subprocess
from contextlib import suppress

# The kernel closes this process's end of the pipe however the process ends, so this works on any system with a shell.
# Linux's parent-death signal would reach only the command and not its children, and must be set between fork and exec.
SCRIPT = """
read -r group || exit
read -r over && exit
left=$1
kill -s TERM -- "-$group"
while [ "$left" -gt 0 ] && kill -s 0 -- "-$group"; do sleep 1; left=$((left - 1)); done
kill -s KILL -- "-$group"
"""


class Watchdog:
    """Ends a process group when this process is gone: with SIGTERM, then with SIGKILL after `grace` seconds.

    Raises OSError if the shell cannot be started.
    """

    def __init__(self, grace: float) -> None:
        # Use a separate session, so that signals to the process groups of this process and of the command do not end
        # it.
        self._shell = subprocess.Popen(
            ["/bin/sh", "-c", SCRIPT, "signalbox-guard", str(math.ceil(grace))],
            cwd="/",
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        """Start to watch: the process group `group` is ended when this process is gone."""
        self._send_line(str(group))

    def dismiss(self) -> None:
        """Stop watching, because the command has ended."""
        self._send_line("over")
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait()

    def _send_line(self, line: str) -> None:
        assert self._shell.stdin is not None
        with suppress(BrokenPipeError):
            self._shell.stdin.write(f"{line}\n".encode())
