"""Ends a command whose `signalbox run` was killed: a small shell that waits until our process is gone."""

from __future__ import annotations

import math
import subprocess
from contextlib import suppress

# The kernel closes our end of the pipe however we end, so this works wherever there is a shell. Linux's parent-death
# signal would reach the command alone and not its children, and would have to be set between fork and exec.
SCRIPT = """
read -r group || exit
read -r over && exit
left=$1
kill -s TERM -- "-$group"
while [ "$left" -gt 0 ] && kill -s 0 -- "-$group"; do sleep 1; left=$((left - 1)); done
kill -s KILL -- "-$group"
"""


class Watchdog:
    """Ends a process group when our process is gone: SIGTERM, then SIGKILL after `grace` seconds.

    Raises OSError when no process can be made.
    """

    def __init__(self, grace: float) -> None:
        # Its own session, so that signals to our process group or the command's do not end it.
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
        """Begin to watch: `group` ends when our process does."""
        self._say(str(group))

    def dismiss(self) -> None:
        """Stop watching, because the command has ended."""
        self._say("over")
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait()

    def _say(self, line: str) -> None:
        assert self._shell.stdin is not None
        with suppress(BrokenPipeError):
            self._shell.stdin.write(f"{line}\n".encode())
