"""Calls of coding agents' hooks that wait for a server: the lines that `signalbox hook` adds to a file of the spool.

Each line has the server's URL, the agent, the query of the request and its JSON. The calls are taken into the spool's
database before they are sent, so they share its bound. `integrations/agent_hook_spool.py` writes the file.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from signalbox.store.agent_sessions import task_of_session
from signalbox.store.spool.records import DROPPED_FIRST, DROPPED_LAST, DROPPED_NEXT, Record

INBOX, TAKEN, MARK = "hook-calls", "hook-calls.taken", "hook-calls.waiting"
"""The file to which hooks add calls, its name while its calls are taken into the database, and an empty file that
tells hooks that calls wait in the database."""

_LAST = frozenset({"SessionStart", "SessionEnd", "UserPromptSubmit", "BeforeAgent"})
_FIRST = frozenset({"Notification"})


class HookCalls:
    """The calls that wait beside a spool's database in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._inbox, self._taken, self._mark = folder / INBOX, folder / TAKEN, folder / MARK

    def exist(self) -> bool:
        """Return whether calls wait that are not in the database."""
        # In this order, because the file moves from the first name to the second.
        return os.path.exists(self._inbox) or os.path.exists(self._taken)

    def take(self) -> list[Record]:
        """Return the calls that wait, and let hooks begin a new file. `forget` must follow once they are stored."""
        if not self._taken.exists():
            try:
                descriptor = os.open(self._inbox, os.O_RDWR | os.O_CLOEXEC)
            except FileNotFoundError:
                return []
            try:
                # Waits for hooks that are writing. A hook that opened the file earlier sees that it has moved.
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                self._mark.touch(0o600)
                self._inbox.rename(self._taken)
            finally:
                os.close(descriptor)
        return list(_records(self._taken))

    def forget(self) -> None:
        """Delete the file of calls that are in the database."""
        self._taken.unlink(missing_ok=True)

    def clear(self) -> None:
        """Say that no call waits any more, so that hooks reach the server themselves again."""
        self._mark.unlink(missing_ok=True)

    def contents(self) -> list[int]:
        """Return the sizes of the calls that wait outside the database."""
        found: list[int] = []
        for path in (self._inbox, self._taken):
            with suppress(FileNotFoundError):
                found += [record.size for record in _records(path)]
        return found

    def discard(self) -> int:
        """Delete the calls that wait outside the database. Returns their number."""
        count = 0
        while self.exist():
            count += len(self.take())
            self.forget()
        self.clear()
        return count

    def server(self) -> str:
        """Return the URL of the server for which calls wait, or ""."""
        for path in (self._taken, self._inbox):
            with suppress(OSError), path.open("rb") as lines:
                for line in lines:
                    if line.strip():
                        return line.split(b" ", 1)[0].decode("utf-8", "replace")
        return ""


def _records(path: Path) -> Iterator[Record]:
    with path.open("rb") as lines:
        for line in lines:
            words = line.rstrip(b"\n").split(b" ", 3)
            # A line without its end is a call whose hook was killed or had no space left.
            if len(words) == 4 and line.endswith(b"\n"):
                # A call that cannot be read must not keep the others from being sent.
                with suppress(ValueError, RecursionError):
                    yield _record(words[1].decode(), words[2].decode(), words[3])


def _record(agent: str, query: str, body: bytes) -> Record:
    call = msgspec.json.decode(body)
    fields: dict[str, Any] = call if isinstance(call, dict) else {}
    event, session = (str(fields.get(name) or "") for name in ("hook_event_name", "session_id"))
    importance = DROPPED_LAST if event in _LAST else DROPPED_FIRST if event in _FIRST else DROPPED_NEXT
    header = msgspec.json.encode({"agent": agent, "query": query})
    return Record("hook", task_of_session(agent, session), "", importance, False, header + b"\n" + body)
