"""Where a command finds the log: `--store URL` or `--server URL`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import unquote

import click
import msgspec

from store import open_store
from store.log import Log
from webapp.process.again import absolute

DEFAULT_STORE = "sqlite:///signalbox.db"
STORE_VARIABLE, SERVER_VARIABLE, TOKEN_VARIABLE = "SIGNALBOX_STORE_URL", "SIGNALBOX_SERVER", "SIGNALBOX_TOKEN"

F = TypeVar("F", bound=Callable[..., Any])


class Target(msgspec.Struct, frozen=True):
    """A server if `server` is set, else a store on this machine."""

    store: str
    server: str | None

    def open(self, *, patience: float = 30.0) -> Log:
        """Open it. A call to a server that does not answer waits `patience` seconds. Raises StoreError."""
        if self.server is None:
            return open_store(self.store)
        from store.remote import RemoteLog

        return RemoteLog(self.server, os.environ.get(TOKEN_VARIABLE), patience=patience)

    @property
    def database(self) -> Path | None:
        """The database file, if that is what this is."""
        if self.server is not None or not self.store.startswith("sqlite:///"):
            return None
        return Path(unquote(self.store.removeprefix("sqlite:///"))).absolute()

    def environment(self) -> dict[str, str]:
        """The variables that give another `signalbox` command the same target, wherever it is started."""
        if self.server is not None:
            return {SERVER_VARIABLE: self.server}
        return {STORE_VARIABLE: absolute(self.store)}


def target_options(command: F) -> F:
    """`--store` and `--server`; the command takes the two values and gives them to `target`."""
    server = click.option(
        "--server", metavar="URL", help=f"A running Signalbox, such as http://127.0.0.1:8000.  [{SERVER_VARIABLE}]"
    )
    store = click.option("--store", metavar="URL", help=f"The database.  [{STORE_VARIABLE}, default: {DEFAULT_STORE}]")
    return store(server(command))


def target(store: str | None, server: str | None) -> Target:
    """What was asked for: flags before variables, a server before a store. Raises UsageError when both are given."""
    if store and server:
        raise click.UsageError("give --store or --server, not both")
    if store is None:
        server = server or os.environ.get(SERVER_VARIABLE) or None
    return Target(store or os.environ.get(STORE_VARIABLE) or DEFAULT_STORE, server)
