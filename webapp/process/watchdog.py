"""What ends a command whose `signalbox run` was killed and could not do it: a shell that waits for us to be gone."""

from __future__ import annotations

import math
import subprocess
from contextlib import suppress

# The kernel closes our end of the pipe however we end, so this works wherever there is a shell. Linux' parent-death
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
    """Ends a process group when we are gone: SIGTERM, and SIGKILL after `grace` seconds.

    Raises OSError when no process can be made.
    """

    def __init__(self, grace: float) -> None:
        # A session of its own: what is sent to our group or the command's must not end it too.
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
        """From now on `group` ends when we do."""
        self._say(str(group))

    def dismiss(self) -> None:
        """All is over: end nothing."""
        self._say("over")
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait()

    def _say(self, line: str) -> None:
        assert self._shell.stdin is not None
        with suppress(BrokenPipeError):
            self._shell.stdin.write(f"{line}\n".encode())
