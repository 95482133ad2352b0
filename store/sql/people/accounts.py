"""The accounts of a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from signalbox.store.contract import Who
from signalbox.store.errors import Conflict, InvalidEvent
from signalbox.store.events import check_text, new_id
from signalbox.store.people import NO_PASSWORD, Account, Role, check_role, checked_email, older_spelling
from signalbox.store.sql.database import Database
from signalbox.store.sql.people.base import Audit, Tables, email_of, exists, need_project, write_member

ACCOUNT = "account_id, email, admin, created_at, disabled_at, password_hash"


class Accounts(Tables):
    """Implements the accounts of `People`."""

    async def aadd_account(
        self,
        email: str,
        password_hash: str,
        *,
        admin: bool = False,
        project_id: str | None = None,
        role: Role | None = None,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> Account:
        insert = insert_account(email, password_hash, admin=admin, project_id=project_id, role=role)

        def work(db: Database, audit: Audit) -> Account:
            account = insert(db)
            audit("user_add", email=account.email, admin=admin, project_id=project_id, role=role)
            return account

        return await self._write(work, actor, source)

    async def aset_password(
        self,
        account_id: str,
        password_hash: str,
        *,
        instead_of: str | None = None,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> None:
        check_text(password_hash, "password_hash", limit=512)
        own = isinstance(actor, Who) and actor.account_id == account_id

        def work(db: Database, audit: Audit) -> None:
            email = email_of(db, account_id)
            sql = "UPDATE accounts SET password_hash = ? WHERE account_id = ? AND password_hash = "
            sql += "password_hash" if instead_of is None else "?"
            given = [] if instead_of is None else [instead_of]
            if not db.execute(sql, (password_hash, account_id, *given)).rowcount:
                raise Conflict("the password was changed meanwhile")
            _end_log_ins(db, account_id)
            audit("password_change" if own else "user_password", email=email)

        await self._write(work, actor, source)

    async def arenew_hash(self, account_id: str, password_hash: str, renewed: str) -> None:
        check_text(renewed, "password_hash", limit=512)
        sql = "UPDATE accounts SET password_hash = ? WHERE account_id = ? AND password_hash = ?"

        def work(db: Database, audit: Audit) -> None:
            db.execute(sql, (renewed, account_id, password_hash))

        await self._write(work, None, None)

    async def aset_disabled(
        self, account_id: str, disabled: bool, *, actor: str | Who | None = None, source: str | None = None
    ) -> None:
        def work(db: Database, audit: Audit) -> None:
            email = email_of(db, account_id)
            if disabled:
                since = "UPDATE accounts SET disabled_at = coalesce(disabled_at, ?) WHERE account_id = ?"
                db.execute(since, (db.now(), account_id))
                _end_log_ins(db, account_id)
            else:
                db.execute("UPDATE accounts SET disabled_at = NULL WHERE account_id = ?", (account_id,))
            audit("user_disable" if disabled else "user_enable", email=email)

        await self._write(work, actor, source)

    async def aremove_account(
        self, account_id: str, *, actor: str | Who | None = None, source: str | None = None
    ) -> None:
        def work(db: Database, audit: Audit) -> None:
            email = email_of(db, account_id)
            db.execute("DELETE FROM accounts WHERE account_id = ?", (account_id,))
            audit("user_remove", email=email)

        await self._write(work, actor, source)

    async def accounts(self) -> list[Account]:
        return [account_of(row) for row in await self._rows(f"SELECT {ACCOUNT} FROM accounts ORDER BY email")]

    async def account(self, account_id: str) -> Account | None:
        rows = await self._rows(f"SELECT {ACCOUNT} FROM accounts WHERE account_id = ?", account_id)
        return account_of(rows[0]) if rows else None

    async def account_by_email(self, email: str) -> tuple[Account, str] | None:
        try:
            spelling = checked_email(email)
        except InvalidEvent:
            return None
        sql = f"SELECT {ACCOUNT} FROM accounts WHERE email IN (?, ?) ORDER BY email = ? DESC"
        rows = await self._rows(sql, spelling, older_spelling(email), spelling)
        return (account_of(rows[0]), rows[0][-1]) if rows else None


def insert_account(
    email: str, password_hash: str, *, admin: bool, project_id: str | None, role: Role | None
) -> Callable[[Database], Account]:
    """Check the values of a new account; return the function that inserts it. Raises InvalidEvent.

    The function raises Conflict if the address already has an account, and NotFound for an unknown project.
    """
    spelling = checked_email(email)
    check_text(password_hash, "password_hash", limit=512)
    if (project_id is None) != (role is None):
        raise InvalidEvent("project_id and role belong together", "role")
    check_role(role)

    def insert(db: Database) -> Account:
        if any(exists(db, "accounts", "email", one) for one in (spelling, older_spelling(email))):
            raise Conflict(f"there is an account {spelling} already")
        account_id, at = new_id(), db.now()
        db.execute(
            "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?)", (account_id, spelling, password_hash, admin, at, None)
        )
        if project_id is not None:
            need_project(db, project_id)
            write_member(db, project_id, account_id, role)
        return account_of((account_id, spelling, admin, at, None, password_hash))

    return insert


def _end_log_ins(db: Database, account_id: str) -> None:
    """End the sessions of an account, and its one-time links."""
    for table in ("login_sessions", "login_links"):
        db.execute(f"DELETE FROM {table} WHERE account_id = ?", (account_id,))


def account_of(row: Sequence[Any]) -> Account:
    """Return the account in a row with the columns ACCOUNT."""
    return Account(
        account_id=row[0],
        email=row[1],
        admin=bool(row[2]),
        created_at=row[3],
        disabled_at=row[4],
        invited=row[5] == NO_PASSWORD,
    )
