"""One-time links with which a person sets a password: invitations and resets."""

from __future__ import annotations

from signalbox.store.contract import Who
from signalbox.store.errors import Conflict, NotFound
from signalbox.store.events import check_text
from signalbox.store.people import NO_PASSWORD, Account, LoginLink, Purpose, Role, check_digest
from signalbox.store.sql.database import Database
from signalbox.store.sql.people.accounts import ACCOUNT, account_of, insert_account
from signalbox.store.sql.people.base import Audit, Tables
from signalbox.store.times import check_time, now


class LoginLinks(Tables):
    """Implements the one-time links of `People`."""

    async def ainvite(
        self,
        email: str,
        digest: str,
        expires_at: str,
        *,
        admin: bool = False,
        project_id: str | None = None,
        role: Role | None = None,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> Account:
        check_digest(digest)
        check_time(expires_at, "expires_at")
        insert = insert_account(email, NO_PASSWORD, admin=admin, project_id=project_id, role=role)

        def work(db: Database, audit: Audit) -> Account:
            account = insert(db)
            _put(db, account.account_id, digest, "invitation", expires_at)
            audit("user_invite", email=account.email, admin=admin, project_id=project_id, role=role)
            return account

        return await self._write(work, actor, source)

    async def aadd_login_link(
        self,
        account_id: str,
        digest: str,
        expires_at: str,
        *,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> LoginLink:
        check_digest(digest)
        check_time(expires_at, "expires_at")

        def work(db: Database, audit: Audit) -> LoginLink:
            account = _account(db, account_id)
            purpose: Purpose = "invitation" if account.invited else "reset"
            link = _put(db, account_id, digest, purpose, expires_at)
            audit("user_link", email=account.email, purpose=purpose)
            return link

        return await self._write(work, actor, source, counted=False)

    async def ause_login_link(self, digest: str, password_hash: str, *, source: str | None = None) -> Account:
        check_text(password_hash, "password_hash", limit=512)
        found = await self.login_link(digest)
        if found is None:
            raise NotFound("this link has expired or was used already")
        account = await self.account(found.account_id)
        if account is None:
            raise NotFound("this link has expired or was used already")
        who = Who(account.email, account.account_id)

        def work(db: Database, audit: Audit) -> Account:
            # The first use deletes the link, so a second one at the same time finds none.
            sql = "DELETE FROM login_links WHERE digest = ? AND expires_at > ?"
            if not db.execute(sql, (digest, db.now())).rowcount:
                raise NotFound("this link has expired or was used already")
            _account(db, account.account_id)
            sql = "UPDATE accounts SET password_hash = ? WHERE account_id = ?"
            db.execute(sql, (password_hash, account.account_id))
            for table in ("login_links", "login_sessions"):
                db.execute(f"DELETE FROM {table} WHERE account_id = ?", (account.account_id,))
            audit("invitation_accept" if found.purpose == "invitation" else "password_reset", email=account.email)
            return account

        return await self._write(work, who, source)

    async def login_link(self, digest: str) -> LoginLink | None:
        sql = "SELECT account_id, purpose, created_at, expires_at FROM login_links WHERE digest = ? AND expires_at > ?"
        rows = await self._rows(sql, digest, now())
        return _link(*rows[0]) if rows else None

    async def login_links(self) -> list[LoginLink]:
        sql = "SELECT account_id, purpose, created_at, expires_at FROM login_links WHERE expires_at > ? ORDER BY 3, 1"
        return [_link(*row) for row in await self._rows(sql, now())]


def _account(db: Database, account_id: str) -> Account:
    """Return an account that may log in. Raises NotFound, and Conflict if it is disabled."""
    row = db.execute(f"SELECT {ACCOUNT} FROM accounts WHERE account_id = ?", (account_id,)).fetchone()
    if row is None:
        raise NotFound(f"there is no account {account_id!r}")
    account = account_of(row)
    if account.disabled_at is not None:
        raise Conflict(f"the account {account.email} is disabled")
    return account


def _put(db: Database, account_id: str, digest: str, purpose: Purpose, expires_at: str) -> LoginLink:
    """Store a link. It replaces the earlier ones of the account, and expired ones are deleted."""
    at = db.now()
    db.execute("DELETE FROM login_links WHERE account_id = ? OR expires_at <= ?", (account_id, at))
    db.execute("INSERT INTO login_links VALUES (?, ?, ?, ?, ?)", (digest, account_id, purpose, at, expires_at))
    return _link(account_id, purpose, at, expires_at)


def _link(account_id: str, purpose: Purpose, created_at: str, expires_at: str) -> LoginLink:
    return LoginLink(account_id=account_id, purpose=purpose, created_at=created_at, expires_at=expires_at)
