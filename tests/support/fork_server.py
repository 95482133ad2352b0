"""The process that ForkedProcess talks to: it imports Signalbox once and forks a copy for each command line.

A server that starts on its own spends most of a second on imports. A forked copy runs the same `main()` in a separate
process with its own environment, and otherwise behaves the same.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import socket
import sys
from typing import Any

import uvloop  # noqa: F401 - a server imports it when it starts

from signalbox.webapp import server  # noqa: F401 - the same
from signalbox.webapp.cli import main

MAX_REQUEST_BYTES = 1 << 20
"""Upper limit of one request, which holds a command line and an environment."""


class ForkServer:
    """Answer each request with the process id of a new child, and write the exit code of each child that ends."""

    def __init__(self, requests: socket.socket) -> None:
        self._requests = requests
        self._exits: dict[int, int] = {}  # Maps the process id to the file descriptor for its exit code.

    def serve(self) -> bool:
        """Fork until the other side closes the connection. Return True in a child; return False at the end."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, self._reap)
        while True:
            request, descriptors, _, _ = socket.recv_fds(self._requests, MAX_REQUEST_BYTES, 2)
            if not request:
                return False
            output, exited = descriptors
            # Block SIGCHLD until the child is in `_exits`, which `_reap` reads.
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
            pid = os.fork()
            if pid:
                self._exits[pid] = exited
                os.close(output)
                self._requests.sendall(b"%d" % pid)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            else:
                self._become(json.loads(request), output, exited)
                return True

    def _reap(self, *_: object) -> None:
        while self._exits:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            exited = self._exits.pop(pid)
            os.write(exited, b"%d" % os.waitstatus_to_exitcode(status))
            os.close(exited)

    def _become(self, command: dict[str, Any], output: int, exited: int) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        self._requests.close()
        os.dup2(output, 1)
        os.dup2(output, 2)
        for descriptor in (output, exited, *self._exits.values()):
            os.close(descriptor)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1, errors="backslashreplace", closefd=False)
        os.environ.clear()
        os.environ.update(command["environment"])
        os.chdir(command["folder"])
        sys.argv = ["signalbox", *command["arguments"]]


if __name__ == "__main__":
    gc.freeze()
    if ForkServer(socket.socket(fileno=int(sys.argv[1]))).serve():
        main()
