"""Which command a task ran, and whether it was this store that it ran on.

A log alone proves nothing: whoever may post events can write that any command was run. So `signalbox run` on the
store itself signs what it starts with a key that no route serves, and a server runs nothing again but that.
"""

from __future__ import annotations

import hashlib
import hmac
import os

import msgspec

from signalbox.store import Event
from signalbox.store.state import Task

PURPOSE = "signalbox run"
"""What the key signs here, so that a signature made for anything else is none."""

MAX_LENGTH = 32 * 1024
"""Characters of a command that is offered to be run again, with all that belongs to it."""


class CommandLine(msgspec.Struct, frozen=True, kw_only=True):
    """A command as `runner_spawn` tells it: its words, where, with which variables, and the words of its `run`."""

    command: tuple[str, ...]
    cwd: str
    environment: dict[str, str] = {}
    options: tuple[str, ...] = ()
    signature: str = ""


def signature(line: CommandLine, key: bytes, task: Task) -> str:
    """The signature of a command of this very task: another task, also a later one of the same id, has another."""
    variables = sorted(line.environment.items())
    said = (PURPOSE, task.task_id, task.created_at, line.command, line.cwd, variables, line.options)
    return hmac.new(key, msgspec.json.encode(said), hashlib.sha256).hexdigest()


def signed(line: CommandLine, key: bytes, task: Task) -> bool:
    """Whether the command's signature was made with this key for this task."""
    return hmac.compare_digest(line.signature.encode(), signature(line, key, task).encode())


def command_of(spawn: Event) -> CommandLine | None:
    """The command that a `runner_spawn` tells, signed or not; None if it tells none that could be run again."""
    if spawn.origin is not msgspec.UNSET:
        # An imported log brings the signature of another task along.
        return None
    try:
        found = msgspec.json.decode(spawn.payload_json, type=CommandLine)
    except msgspec.DecodeError:
        return None
    words = (*found.command, found.cwd, *found.environment, *found.environment.values(), *found.options)
    usable = bool(found.command) and os.path.isabs(found.cwd) and not any("\0" in word for word in words)
    return found if usable and sum(map(len, words)) <= MAX_LENGTH else None
