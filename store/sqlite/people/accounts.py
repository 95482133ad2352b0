"""Accounts in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from signalbox.store.errors import Conflict, InvalidEvent
from signalbox.store.events import check_text, new_id, now
from signalbox.store.people import Account, checked_email, older_spelling
from signalbox.store.sqlite.people.base import Tables, need, there

_ACCOUNT = "account_id, email, admin, created_at, disabled_at"


class Accounts(Tables):
    """The accounts of `store.people.People`."""

    def add_account(self, email: str, password_hash: str, *, admin: bool = False) -> Account:
        account = Account(account_id=new_id(), email=checked_email(email), admin=admin, created_at=now())
        check_text(password_hash, "password_hash", limit=512)

        def work(db: sqlite3.Connection) -> Account:
            if any(there(db, "accounts", "email", kept) for kept in (account.email, older_spelling(email))):
                raise Conflict(f"there is an account {account.email} already")
            row = (account.account_id, account.email, password_hash, admin, account.created_at, None)
            db.execute("INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?)", row)
            return account

        return self._write(work)

    def set_password(self, account_id: str, password_hash: str, *, instead_of: str | None = None) -> None:
        check_text(password_hash, "password_hash", limit=512)

        def work(db: sqlite3.Connection) -> None:
            need(db, "account", account_id)
            sql = "UPDATE accounts SET password_hash = ?1 WHERE account_id = ?2 AND password_hash = ifnull(?3, "
            if not db.execute(f"{sql}password_hash)", (password_hash, account_id, instead_of)).rowcount:
                raise Conflict("the password was changed meanwhile")
            db.execute("DELETE FROM login_sessions WHERE account_id = ?", (account_id,))

        self._write(work)

    def renew_hash(self, account_id: str, password_hash: str, renewed: str) -> None:
        check_text(renewed, "password_hash", limit=512)
        sql = "UPDATE accounts SET password_hash = ? WHERE account_id = ? AND password_hash = ?"
        self._write(lambda db: db.execute(sql, (renewed, account_id, password_hash)))

    def set_disabled(self, account_id: str, disabled: bool) -> None:
        def work(db: sqlite3.Connection) -> None:
            need(db, "account", account_id)
            if disabled:
                since = "UPDATE accounts SET disabled_at = coalesce(disabled_at, ?) WHERE account_id = ?"
                db.execute(since, (now(), account_id))
                db.execute("DELETE FROM login_sessions WHERE account_id = ?", (account_id,))
            else:
                db.execute("UPDATE accounts SET disabled_at = NULL WHERE account_id = ?", (account_id,))

        self._write(work)

    def remove_account(self, account_id: str) -> None:
        def work(db: sqlite3.Connection) -> None:
            need(db, "account", account_id)
            db.execute("DELETE FROM accounts WHERE account_id = ?", (account_id,))

        self._write(work)

    async def accounts(self) -> list[Account]:
        return [_account(row) for row in await self._rows(f"SELECT {_ACCOUNT} FROM accounts ORDER BY email")]

    async def account(self, account_id: str) -> Account | None:
        rows = await self._rows(f"SELECT {_ACCOUNT} FROM accounts WHERE account_id = ?", account_id)
        return _account(rows[0]) if rows else None

    async def account_by_email(self, email: str) -> tuple[Account, str] | None:
        try:
            kept = checked_email(email)
        except InvalidEvent:
            return None
        sql = f"SELECT {_ACCOUNT}, password_hash FROM accounts WHERE email IN (?1, ?2) ORDER BY email = ?1 DESC"
        rows = await self._rows(sql, kept, older_spelling(email))
        return (_account(rows[0][:-1]), rows[0][-1]) if rows else None


def _account(row: Sequence[Any]) -> Account:
    return Account(account_id=row[0], email=row[1], admin=bool(row[2]), created_at=row[3], disabled_at=row[4])
