"""The command that a task ran, and a signature that it ran on this store.

A log alone proves nothing, because a client that may post events can claim that any command was run. Therefore
`signalbox run` on the store itself signs the commands that it starts, with a key that no route serves, and a server
runs only signed commands again.
"""

from __future__ import annotations

import hashlib
import hmac
import os

import msgspec

from signalbox.store import Event
from signalbox.store.state import Task

PURPOSE = "signalbox run"
"""The purpose of the signature, so that a signature made for another purpose is not valid here."""

MAX_LENGTH = 32 * 1024
"""Maximum characters of a command that can be run again, with its directory, variables and options."""


class CommandLine(msgspec.Struct, frozen=True, kw_only=True):
    """A command as in `runner_spawn`: its arguments, directory, variables, and the options of its `signalbox run`."""

    command: tuple[str, ...]
    cwd: str
    environment: dict[str, str] = {}
    options: tuple[str, ...] = ()
    signature: str = ""


def signature(line: CommandLine, key: bytes, task: Task) -> str:
    """Return the signature of a command of this task. It is not valid for a later task with the same id."""
    variables = sorted(line.environment.items())
    signed_fields = (PURPOSE, task.task_id, task.created_at, line.command, line.cwd, variables, line.options)
    return hmac.new(key, msgspec.json.encode(signed_fields), hashlib.sha256).hexdigest()


def signed(line: CommandLine, key: bytes, task: Task) -> bool:
    """Return whether the command's signature was made with this key for this task."""
    return hmac.compare_digest(line.signature.encode(), signature(line, key, task).encode())


def command_of(spawn: Event) -> CommandLine | None:
    """Return the command of a `runner_spawn`, signed or not; None if it has none that could be run again."""
    if spawn.origin is not msgspec.UNSET:
        # An imported log contains the signature of another task.
        return None
    try:
        found = msgspec.json.decode(spawn.payload_json, type=CommandLine)
    except msgspec.DecodeError:
        return None
    words = (*found.command, found.cwd, *found.environment, *found.environment.values(), *found.options)
    usable = bool(found.command) and os.path.isabs(found.cwd) and not any("\0" in word for word in words)
    return found if usable and sum(map(len, words)) <= MAX_LENGTH else None
