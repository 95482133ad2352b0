"""The process that ForkedProcess talks to: it imports Signalbox once and forks a copy for each command line.

A server that starts on its own spends most of a second on imports, and compiles each template for its first page. A
forked copy runs the same `main()` in a separate process with its own environment, and otherwise behaves the same. It
exits without destroying the modules, because that writes to every page of memory that it shares with its parent.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import signal
import socket
import sys
import threading
from typing import Any, NoReturn

import uvloop  # noqa: F401 - a server imports it when it starts

from signalbox.webapp import server
from signalbox.webapp.cli import cli, main
from signalbox.webapp.http import assets
from signalbox.webapp.settings import Settings
from signalbox.webapp.views import time_zones
from tests.support.kept_compilations import keep_compilations
from tests.support.quick_passwords import use_quick_hashes
from tests.support.quick_schema import use_copied_schema

MAX_REQUEST_BYTES = 1 << 20
"""Upper limit of one request, which holds a command line and an environment."""


def prepare() -> None:
    """Do once what each process would repeat: import all commands and routes, compile the templates, and migrate.

    Also read the static files and the time zones, which each server does for its first page.
    """
    use_copied_schema()
    use_quick_hashes()
    keep_compilations()
    list(cli.commands.values())
    environment = server.create_app(Settings()).extensions["fragments"]._environment
    for name in environment.list_templates():
        environment.get_template(name)
    for path in (*assets.BUNDLES, *assets._files()):
        assets.load(path)
    time_zones.zone_names()


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
            request, descriptors, _, _ = socket.recv_fds(self._requests, MAX_REQUEST_BYTES, 4)
            if not request:
                return False
            *streams, exited = descriptors
            # Block SIGCHLD until the child is in `_exits`, which `_reap` reads.
            signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
            pid = os.fork()
            if pid:
                self._exits[pid] = exited
                for stream in streams:
                    os.close(stream)
                self._requests.sendall(b"%d" % pid)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
            else:
                self._become(json.loads(request), streams, exited)
                return True

    def _reap(self, *_: object) -> None:
        while self._exits:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return
            exited = self._exits.pop(pid)
            os.write(exited, b"%d" % os.waitstatus_to_exitcode(status))
            os.close(exited)

    def _become(self, command: dict[str, Any], streams: list[int], exited: int) -> None:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
        self._requests.close()
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
        for descriptor in (*streams, exited, *self._exits.values()):
            os.close(descriptor)
        sys.stdin = os.fdopen(0, encoding="utf-8", closefd=False)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", buffering=1, errors="backslashreplace", closefd=False)
        os.environ.clear()
        os.environ.update(command["environment"])
        os.chdir(command["folder"])
        sys.argv = ["signalbox", *command["arguments"]]


def run_command_line() -> NoReturn:
    """Run `main()`, and exit as the interpreter does after `sys.exit`, in a tenth of the CPU time."""
    try:
        main()
        code: object = None
    except SystemExit as end:
        code = end.code
    if code is not None and not isinstance(code, int):
        sys.exit(code)  # type: ignore[arg-type] # a message
    threading._shutdown()  # type: ignore[attr-defined] # waits for threads
    atexit._run_exitfuncs()
    gc.collect()  # reports what was never awaited or closed
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)  # The interpreter reports it.
    os._exit((code or 0) & 0xFF)


if __name__ == "__main__":
    prepare()
    gc.freeze()
    if ForkServer(socket.socket(fileno=int(sys.argv[1]))).serve():
        run_command_line()
