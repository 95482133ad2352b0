"""Calls of `signalbox hook` that a server did not answer are kept on disk: see `agent_hook.py`.

A call is one line at the end of the file `hook-calls` in the folder of the server's spool, because a hook has no time
to open the database there. A process in the background takes the lines into the spool and sends them in order. The
names of the files and the form of a line are those of `signalbox.store.spool.hook_calls`, whose import takes too long.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time

INBOX, MARK, SENDER_LOCK, START_LOCK = "hook-calls", "hook-calls.waiting", "sender.lock", "sender-start.lock"

DEFAULT_BOUND = 128 * 1024 * 1024
"""Bytes of calls that wait for the process in the background, unless `SIGNALBOX_SPOOL_BYTES` says otherwise."""

LOCK_TRIES, LOCK_PAUSE_S = 10, 0.001

_SENDER = "import os; os.nice(10); from signalbox.store.remote.spool_sender import main; main()"
_HOST = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")


class HookSpool:
    """The kept calls for a server and a token. Nothing here raises an error of the disk."""

    def __init__(self, server: str, token: str) -> None:
        self._server, self._token = server, token
        self._bound, self.folder = 0, ""
        try:
            self._bound = int(os.environ.get("SIGNALBOX_SPOOL_BYTES", "").strip() or DEFAULT_BOUND)
            self.folder = folder_for(server, token)
        except (ValueError, OSError):
            self._bound = 0

    def has_calls(self) -> bool:
        """Return whether earlier calls wait. Then later ones must wait behind them."""
        return self._bound > 0 and any(os.path.exists(os.path.join(self.folder, name)) for name in (INBOX, MARK))

    def keep(self, agent: str, query: str, body: bytes) -> bool:
        """Keep a call until the server is back. Returns whether that was possible."""
        words = [self._server.replace(" ", "%20"), agent, query]
        # A line break in JSON is only white space. The one before the line ends a line that a full disk has cut.
        line = b"\n" + " ".join(words).encode() + b" " + body.replace(b"\r", b" ").replace(b"\n", b" ") + b"\n"
        try:
            kept = self._bound > 0 and self._append(line)
        except OSError:
            return False
        self.start_sender()
        return kept

    def start_sender(self) -> None:
        """Start the process that sends the calls, unless it runs or is being started."""
        locks: list[int] = []
        try:
            for name in (SENDER_LOCK, START_LOCK):
                locks.append(os.open(os.path.join(self.folder, name), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
                fcntl.flock(locks[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The process takes the first lock itself. It inherits the second, so that calls meanwhile start no other.
            fcntl.flock(locks[0], fcntl.LOCK_UN)
            os.set_inheritable(locks[1], True)
            self._spawn_sender()
        except OSError:
            return
        finally:
            for lock in locks:
                os.close(lock)

    def _spawn_sender(self) -> None:
        variables = {"SIGNALBOX_SERVER": self._server, "SIGNALBOX_TOKEN": self._token}
        variables["SIGNALBOX_SPOOL_DIR"] = os.path.dirname(self.folder)
        nothing = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
        # A session of its own, because an agent may end its hooks. -P: no modules from the agent's folder.
        command = [sys.executable, "-P", "-c", _SENDER]
        os.posix_spawn(sys.executable, command, {**os.environ, **variables}, file_actions=nothing, setsid=True)

    def _append(self, line: bytes) -> bool:
        path = os.path.join(self.folder, INBOX)
        os.makedirs(self.folder, mode=0o700, exist_ok=True)
        for _ in range(LOCK_TRIES):
            file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                opened = os.fstat(file)
                if os.stat(path).st_ino == opened.st_ino:
                    return opened.st_size + len(line) <= self._bound and os.write(file, line) == len(line)
            except (BlockingIOError, FileNotFoundError):
                # The sender takes the file at this moment.
                time.sleep(LOCK_PAUSE_S)
            finally:
                os.close(file)
        return False


def folder_for(url: str, token: str) -> str:
    """Return the folder of the spool for a server and a token: that of `signalbox.store.spool.place`."""
    host = "".join(letter if letter in _HOST else "_" for letter in url.partition("://")[2].rpartition("@")[2])
    while "__" in host:
        host = host.replace("__", "_")
    digest = _sha256(f"{url}\n{token}".encode())[:16]
    root = os.environ.get("SIGNALBOX_SPOOL_DIR")
    if not root:
        state = os.environ.get("XDG_STATE_HOME", "")
        base = state if os.path.isabs(state) else os.path.join(os.path.expanduser("~"), ".local", "state")
        root = os.path.join(base, "signalbox", "spool")
    return os.path.join(os.path.abspath(root), f"{host[:60].strip('_.')}-{digest}")


def _sha256(text: bytes) -> str:
    try:
        # `hashlib` takes ten times as long to import. The module's name depends on the version of Python.
        from importlib import import_module

        made: str = import_module("_sha2" if sys.version_info >= (3, 12) else "_sha256").sha256(text).hexdigest()
    except ImportError:
        import hashlib

        made = hashlib.sha256(text).hexdigest()
    return made
