"""Opens the database for the commands that manage people. Only the permissions of the file limit their use."""

from __future__ import annotations

import asyncio
import getpass
import os
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypedDict, TypeVar

import click

from signalbox.store import NotFound, Store, open_store
from signalbox.store.contract import People
from signalbox.store.people import Account, Project
from signalbox.webapp.cli.target import SERVER_VARIABLE, target

T = TypeVar("T")


class CommandAudit(TypedDict):
    """The arguments of an audited write: the acting user, and the source of the action."""

    actor: str
    source: str


class PeopleStore:
    """A store that is open for the system user who runs the command. Writes take `**opened.by` for their audits."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.audit: CommandAudit = {"actor": system_user(), "source": "command"}

    @property
    def people(self) -> People:
        """The accounts, tokens and projects in the store."""
        return self.store.people

    def run_read(self, read: Coroutine[Any, Any, T]) -> T:
        """Await a read and return its result."""
        return asyncio.run(read)

    def account(self, email: str) -> Account:
        """Return the account with this e-mail address. Raises NotFound."""
        found = self.run_read(self.people.account_by_email(email))
        if found is None:
            raise NotFound(f"there is no account {email!r}")
        return found[0]

    def project(self, project_id: str) -> Project:
        """Return a project. Raises NotFound."""
        found = self.run_read(self.people.project(project_id))
        if found is None:
            raise NotFound(f"there is no project {project_id!r}")
        return found


@contextmanager
def people_store(store: str | None, *, make: bool = False) -> Iterator[PeopleStore]:
    """Open the database that `store` or the environment names. It is created only with `make`."""
    chosen = target(store, None)
    if chosen.server is not None:
        raise click.UsageError(
            f"accounts, tokens and projects are managed in the database, not through a server: give --store"
            f" ({SERVER_VARIABLE} is set)"
        )
    if not make and chosen.database is not None and not chosen.database.exists():
        raise click.ClickException(f"there is no database {chosen.database}")
    opened = open_store(chosen.store, bus=chosen.bus)
    try:
        yield PeopleStore(opened)
    except UnicodeEncodeError:
        raise click.UsageError("an argument is not valid Unicode text") from None
    finally:
        opened.close()


def system_user() -> str:
    """Return the name of the system user, or `uid N` if it has none."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
