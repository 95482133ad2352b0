"""Run the commands of the docs on a small imitation of a machine, in a temporary folder.

`MARK` after "console" says which commands belong together:

    ```console run MARK
    # systemctl stop postgresql
    ```
"""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tests.support.markdown import blocks

Handler = Callable[[list[str]], None]
"""Does what a command does on a real machine. It gets the words after the command's name."""

_PROMPT = re.compile(r"^[#$] ")
_HEREDOC = re.compile(r"<<'(\w+)'$")
PATHS = re.compile(r"(?<![\w.])/(?=(?:etc|opt|var)\b)")
"""Paths of the machine that lie in the folder instead."""


def commands(document: str, mark: str = "") -> Iterator[str]:
    """Yield the commands of the blocks `console run MARK`, each with its here-document."""
    for block in blocks(document):
        if block.language == "console" and block.mark.split() == ["run", *mark.split()]:
            yield from _commands_of(block.text)


def _commands_of(text: str) -> Iterator[str]:
    lines = iter(text.splitlines())
    for line in lines:
        assert _PROMPT.match(line), f"not a command: {line!r}"
        command = [line[2:]]
        if (heredoc := _HEREDOC.search(line)) is not None:
            for more in lines:
                command.append(more)
                if more == heredoc[1]:
                    break
        yield "\n".join(command)


class Machine:
    """Runs documented commands. `/etc`, `/opt` and `/var` lie in `root`, and `replaced` maps texts to other texts.

    `handlers` do the commands that would change the real machine, by their first word. Commands of the user postgres
    run as `postgres_user`, all others as the present user.
    """

    def __init__(
        self,
        root: Path,
        *,
        replaced: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        handlers: Mapping[str, Handler] | None = None,
        postgres_user: str | None = None,
    ) -> None:
        self.root = root
        self.postgres_user = postgres_user
        self.folder = root
        self.replaced = dict(replaced or {})
        self.handlers = dict(handlers or {})
        # Nothing of the tester's environment may be necessary.
        self.environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(root), "LC_ALL": "C.UTF-8"}
        self.environment |= dict(environment or {})

    def here(self, text: str) -> str:
        """Return a text of the docs with its paths and addresses on this machine."""
        for old, new in self.replaced.items():
            text = text.replace(old, new)
        return PATHS.sub(f"{self.root}/", text)

    def run(self, command: str, typed: Sequence[str] = ()) -> str:
        """Run a command and return what it prints. Raise AssertionError if it fails.

        The `typed` lines are typed at a terminal, one at each prompt.
        """
        service = command.startswith("sudo -u postgres ")
        command = re.sub(r"^(sudo -u \w+|runuser -u \w+ --) ", "", command)
        words = command.split()
        if (handler := self.handlers.get(words[0])) is not None:
            handler(self.here(command).split()[1:])
            return ""
        if words[0] == "cd":
            self.folder = Path(self.here(words[1]))
            return ""
        shell = ["bash", "-euo", "pipefail", "-c", self.here(command)]
        options = {
            "cwd": "/" if service else self.folder,
            "env": self.environment,
            "user": self.postgres_user if service else None,
        }
        code, printed = at_terminal(shell, typed, options) if typed else _without_terminal(shell, options)
        assert code == 0, f"{command}\n{printed}"
        return printed


def _without_terminal(command: list[str], options: Mapping[str, Any]) -> tuple[int, str]:
    done = subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, start_new_session=True, **options
    )
    return done.returncode, done.stdout + (done.stderr if done.returncode else "")


def at_terminal(command: list[str], typed: Sequence[str], options: Mapping[str, Any]) -> tuple[int, str]:
    """Run a command at a terminal of its own, type one line at each prompt, and return its exit code and output."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        ["setsid", "--ctty", "--wait", *command], stdin=theirs, stdout=theirs, stderr=theirs, **options
    )
    os.close(theirs)
    waiting, printed = list(typed), ""
    with suppress(OSError):  # The terminal is closed when the command has ended.
        while chunk := os.read(ours, 4096):
            printed += chunk.decode(errors="replace")
            if waiting and printed.endswith(": "):
                os.write(ours, f"{waiting.pop(0)}\n".encode())
    os.close(ours)
    return process.wait(60), printed
