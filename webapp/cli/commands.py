"""The commands of `signalbox`. The module of a command is imported when the command is used.

Importing all of them takes half of the CPU time of a short command such as `signalbox emit`.
"""

from __future__ import annotations

import gc
from collections import UserDict
from collections.abc import Iterator
from importlib import import_module

import click

MODULES = {
    "serve": "serve",
    "run": "run",
    "relay": "relay",
    "emit": "emit",
    "artifact": "artifact",
    "answer": "answer",
    "hold": "hold",
    "tail": "tail",
    "spool": "spool",
    "import": "import_",
    "hook": "hook",
    "hooks": "hooks",
    "demo": "demo",
    "doctor": "doctor",
    "mcp": "mcp",
    "backup": "backup",
    "verify": "verify",
    "heads": "heads",
    "erase": "erase",
    "cold": "cold",
    "search-index": "search_index",
    "migrate-store": "migrate_store",
    "vacuum": "vacuum",
    "user": "user",
    "token": "token",
    "project": "project",
}
"""Each command with its module in this package, which has a click command of that name."""


class Commands(UserDict[str, click.Command]):
    """The commands by name. Looking one up imports it."""

    def __getitem__(self, name: str) -> click.Command:
        if name not in self.data:
            module = import_module(f"signalbox.webapp.cli.{MODULES[name]}")
            (self.data[name],) = (
                value for value in vars(module).values() if isinstance(value, click.Command) and value.name == name
            )
            gc.enable()  # `main` disables it until the command is loaded.
        return self.data[name]

    def __contains__(self, name: object) -> bool:
        return name in MODULES

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)
