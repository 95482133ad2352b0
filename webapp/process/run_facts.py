"""Facts about a command before it runs: its arguments, directory, environment, host and commit."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
from collections.abc import Callable
from typing import Any

from signalbox.store.emitter.run import own_version
from signalbox.webapp.process.signature import CommandLine

MAX_COMMAND = 16 * 1024
"""Maximum characters of a command line in the log."""

TASK_VARIABLE, IDENTITY_VARIABLE = "SIGNALBOX_TASK", "SIGNALBOX_TASK_IDENTITY"
"""The variables with the id and the identity of the task, for the command of a run."""


def facts_of(
    command: list[str], environment: dict[str, str], options: tuple[str, ...], sign: Callable[[CommandLine], str | None]
) -> dict[str, Any]:
    """Return the payload of `runner_spawn` without the pid, with the facts that a retry needs."""
    readable, cwd = readable_command(command), os.getcwd()
    facts = {
        "runner_version": own_version(),
        "command": readable,
        "cwd": os.fsencode(cwd).decode("utf-8", "replace"),
        "environment": environment,
        "options": options,
        "host": platform.node(),
        "commit_hash": git_commit(),
    }
    # A command that was changed to fit the log cannot be run again from it.
    if readable == command and facts["cwd"] == cwd:
        line = CommandLine(command=tuple(command), cwd=cwd, environment=environment, options=options)
        facts["signature"] = sign(line)
    return {name: value for name, value in facts.items() if value}


def readable_command(command: list[str]) -> list[str]:
    """Return the command and its arguments as valid text; the end of a very long command is left out."""
    words: list[str] = []
    left = MAX_COMMAND
    for raw in command:
        word = os.fsencode(raw).decode("utf-8", "replace")
        if len(word) > left:
            return [*words, f"{word[:left]}…"]
        words.append(word)
        left -= len(word)
    return words


def title_of(command: list[str]) -> str:
    """Return the command line as a task's title: one line, at most 200 characters."""
    words = " ".join(shlex.join(readable_command(command)).split())
    line = "".join(character if character.isprintable() else "?" for character in words)
    return line if len(line) <= 200 else f"{line[:199]}…"


def git_commit() -> str | None:
    """Return the commit of the current directory, if it is a git repository."""
    git = ["git", "rev-parse", "--verify", "--quiet", "HEAD"]
    try:
        found = subprocess.run(git, capture_output=True, text=True, timeout=2)
    except (OSError, subprocess.SubprocessError):
        return None
    return found.stdout.strip() or None
