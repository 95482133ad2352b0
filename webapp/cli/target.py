"""The target of a command, which is where the log is: `--store URL`, or `--server URL` with its `--token`."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec
from click.core import ParameterSource

from signalbox.store import Conflict, NotAllowed, StoreError, open_store
from signalbox.store.emitter.run import HEARTBEAT_INTERVAL
from signalbox.store.identity import Reference, parse_reference
from signalbox.store.kinds import is_server, sqlite_path
from signalbox.store.log import Log
from signalbox.store.people import PROJECT_VARIABLE
from signalbox.store.state import Task
from signalbox.webapp.process.detached_run import BUS_VARIABLE, STORE_VARIABLE, variables
from signalbox.webapp.process.run_facts import IDENTITY_VARIABLE, TASK_VARIABLE

DEFAULT_STORE = "sqlite:///signalbox.db"
SERVER_VARIABLE, TOKEN_VARIABLE = "SIGNALBOX_SERVER", "SIGNALBOX_TOKEN"

F = TypeVar("F", bound=Callable[..., Any])


class Target(msgspec.Struct, frozen=True):
    """The store or server that a command works on: a server if `server` is set, else a store.

    `by_environment` says that no option chose it.
    """

    store: str
    server: str | None
    token: str | None = None
    by_environment: bool = False
    bus: str | None = None

    def open(self, *, patience: float = 30.0, spool: bool = False) -> Log:
        """Open the log. A call to a server that does not answer waits `patience` seconds. Raises StoreError.

        With `spool`, events are kept on disk while the server is away.
        """
        if self.server is None:
            return open_store(self.store, bus=self.bus)
        if spool:
            from signalbox.store.remote.spooled import SpooledLog

            return SpooledLog(self.server, self.token, patience=patience)
        from signalbox.store.remote import RemoteLog

        return RemoteLog(self.server, self.token, patience=patience)

    @property
    def database(self) -> Path | None:
        """The path of the database file; None for a server or another kind of store."""
        return sqlite_path(self.store) if self.server is None else None

    def environment(self) -> dict[str, str]:
        """The variables that give another `signalbox` command the same target, whatever its working directory."""
        if self.server is not None:
            return {SERVER_VARIABLE: self.server} | ({TOKEN_VARIABLE: self.token} if self.token else {})
        # A server in the environment would take precedence over the store that an option chose.
        no_server = {SERVER_VARIABLE: ""} if os.environ.get(SERVER_VARIABLE) else {}
        return variables(self.store, self.bus) | no_server


def store_option(command: F) -> F:
    """Add `--store`, for a command that works only on a database."""
    help_text = f"The database.  [{STORE_VARIABLE}, default: {DEFAULT_STORE}]"
    return click.option("--store", metavar="URL", help=help_text)(command)


def target_options(command: F) -> F:
    """Add `--store`, `--server` and `--token`. The command passes the three values to `target`."""
    token = click.option("--token", metavar="TEXT", help=f"The bearer token for the server.  [{TOKEN_VARIABLE}]")
    server = click.option(
        "--server",
        metavar="URL",
        help=f"The URL of a running Signalbox, such as http://127.0.0.1:8000.  [{SERVER_VARIABLE}]",
    )
    return store_option(server(token(command)))


def project_option(command: F) -> F:
    """Add `--project`, for a command that creates a task."""
    help_text = f"The project of a new task.  [{PROJECT_VARIABLE}, default: the token's, else default]"
    return click.option("--project", metavar="ID", envvar=PROJECT_VARIABLE, help=help_text)(command)


def heartbeat_option(command: F) -> F:
    """Add `--heartbeat`, for a command that records a run."""
    help_text = "Seconds without an event after which a heartbeat is appended."
    kind = click.FloatRange(0.1, 3600)
    return click.option("--heartbeat", type=kind, default=HEARTBEAT_INTERVAL, show_default=True, help=help_text)(
        command
    )


def target(store: str | None, server: str | None = None, token: str | None = None) -> Target:
    """Return the target that the options or the environment name. Raises UsageError.

    Options take precedence over variables, and a server over a store.
    """
    if store and server:
        raise click.UsageError("give --store or --server, not both")
    by_environment = not (store or server)
    if store is None:
        server = server or os.environ.get(SERVER_VARIABLE) or None
    chosen = store or os.environ.get(STORE_VARIABLE) or DEFAULT_STORE
    if not server and is_server(chosen):
        server = chosen
    if token and not server:
        raise click.UsageError("--token can only be used with --server")
    bus = os.environ.get(BUS_VARIABLE) or None
    return Target(chosen, server, token or os.environ.get(TOKEN_VARIABLE) or None, by_environment, bus)


def named_task(text: str, chosen: Target) -> Reference:
    """Parse the TASK of a command, which is `ID` or `ID@IDENTITY`. Raises InvalidEvent.

    In a command of `signalbox run`, the id of its own task means this very task and no later one with the id, unless
    the options choose another log.
    """
    task_id, identity = parse_reference(text)
    if identity is None and chosen.by_environment and task_id == os.environ.get(TASK_VARIABLE):
        identity = os.environ.get(IDENTITY_VARIABLE) or None
    return Reference(task_id, identity)


def check_project(task: Task, project: str | None) -> None:
    """Raise Conflict if `task` exists in another project than the option asks for.

    The variable of the environment is only for new tasks.
    """
    context = click.get_current_context(silent=True)
    if context is not None and context.get_parameter_source("project") is ParameterSource.ENVIRONMENT:
        return
    if project is not None and task.project_id != project:
        raise Conflict(f"the task {task.task_id} is in the project {task.project_id}, and stays there")


def message_of(error: StoreError) -> str:
    """Return the message for an error. If the server refuses the caller, it says how to give a token."""
    if isinstance(error, NotAllowed) and not error.known:
        return f"the server refuses this caller ({error}): give a token with --token or {TOKEN_VARIABLE}"
    return str(error)
