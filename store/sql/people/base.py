"""The base of the tables of people: reads, writes, and the audits of the writes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

from signalbox.store.contract import People, Who
from signalbox.store.errors import NotFound
from signalbox.store.people import Role
from signalbox.store.sql import audits
from signalbox.store.sql.database import Database
from signalbox.store.sql.group_commit import Calls

T = TypeVar("T")

_COUNT = "UPDATE store_facts SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) WHERE name = 'people_version'"


class Audit(Protocol):
    """Adds an audit in the transaction of the write. Fields of the detail with the value None are left out."""

    def __call__(self, action: str, **detail: Any) -> None: ...


class Tables(People):
    """Writes with the `calls` of a store. `rows` returns the rows of one query."""

    def __init__(self, calls: Calls, rows: Callable[..., Awaitable[list[Any]]]) -> None:
        self._calls = calls
        self._rows = rows

    def wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self._calls.wait(coroutine)

    async def _write(
        self,
        work: Callable[[Database, Audit], T],
        actor: str | Who | None,
        source: str | None,
        *,
        counted: bool = True,
    ) -> T:
        """Run `work(connection, audit)` in a transaction, and increment the version of people if `counted`.

        Without an actor, `audit` does nothing.
        """

        def transaction(db: Database) -> T:
            def audit(action: str, **detail: Any) -> None:
                if actor is not None:
                    present = {name: value for name, value in detail.items() if value is not None}
                    audits.add(db, audits.checked(actor, action, source, present), None, None)

            result = work(db, audit)
            if counted:
                db.execute(_COUNT)
            return result

        return await self._calls.write(transaction)


def exists(db: Database, table: str, column: str, value: str) -> bool:
    """Return whether a table has a row with this value in this column."""
    return db.execute(f"SELECT 1 FROM {table} WHERE {column} = ?", (value,)).fetchone() is not None


def email_of(db: Database, account_id: str) -> str:
    """Return the e-mail address of an account. Raises NotFound if there is no such account."""
    row = db.execute("SELECT email FROM accounts WHERE account_id = ?", (account_id,)).fetchone()
    if row is None:
        raise NotFound(f"there is no account {account_id!r}")
    return str(row[0])


def need_project(db: Database, project_id: str) -> None:
    """Raise NotFound unless the project exists."""
    if not exists(db, "projects", "project_id", project_id):
        raise NotFound(f"there is no project {project_id!r}")


def write_member(db: Database, project_id: str, account_id: str, role: Role | None) -> None:
    """Set the role of an account in a project. None removes the account from the project."""
    member = (project_id, account_id)
    if role is None:
        db.execute("DELETE FROM project_members WHERE project_id = ? AND account_id = ?", member)
    else:
        put = "INSERT INTO project_members VALUES (?, ?, ?) ON CONFLICT (project_id, account_id) DO UPDATE SET role = ?"
        db.execute(put, (*member, role, role))
