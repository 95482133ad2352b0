"""The tokens and sessions of a store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from signalbox.store.contract import Who
from signalbox.store.errors import Conflict, NotFound
from signalbox.store.events import check_text, new_id
from signalbox.store.people import MAX_NAME_CHARS, Scope, Session, Token, check_digest, check_quota, checked_scopes
from signalbox.store.reserved import check_token_name
from signalbox.store.sql.database import Database
from signalbox.store.sql.people.base import Audit, Tables, email_of, exists, need_project
from signalbox.store.times import check_time, now

_TOKEN = (
    "token_id, name, account_id, project_id, scopes, created_at, expires_at, revoked_at,"
    " events_per_minute, bytes_per_minute"
)


class Tokens(Tables):
    """Implements the tokens and sessions of `People`."""

    async def aadd_token(
        self,
        name: str,
        digest: str,
        *,
        scopes: tuple[Scope, ...],
        account_id: str | None = None,
        project_id: str | None = None,
        expires_at: str | None = None,
        events_per_minute: int | None = None,
        bytes_per_minute: int | None = None,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> Token:
        check_text(name, "name", limit=MAX_NAME_CHARS)
        check_token_name(name)
        check_digest(digest)
        if expires_at is not None:
            check_time(expires_at, "expires_at")
        sorted_scopes = checked_scopes(scopes)
        quota = _checked_quota(events_per_minute, bytes_per_minute)

        def work(db: Database, audit: Audit) -> Token:
            email = email_of(db, account_id) if account_id is not None else None
            if project_id is not None:
                need_project(db, project_id)
            if exists(db, "access_tokens", "digest", digest):
                raise Conflict("there is a token with this secret already")
            token = Token(
                token_id=new_id(),
                name=name,
                account_id=account_id,
                project_id=project_id,
                scopes=sorted_scopes,
                created_at=db.now(),
                expires_at=expires_at,
                events_per_minute=events_per_minute,
                bytes_per_minute=bytes_per_minute,
            )
            words = " ".join(token.scopes)
            db.execute(
                f"INSERT INTO access_tokens ({_TOKEN}, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(token.token_id, name, account_id, project_id, words, token.created_at, expires_at, None),
                    *(events_per_minute, bytes_per_minute, digest),
                ),
            )
            audit(
                "token_create",
                token_id=token.token_id,
                name=name,
                scopes=list(token.scopes),
                project_id=project_id,
                email=email,
                expires_at=expires_at,
                **{name: limit for name, limit in quota.items() if limit is not None},
            )
            return token

        return await self._write(work, actor, source)

    async def aset_quota(
        self,
        token_id: str,
        events_per_minute: int | None,
        bytes_per_minute: int | None,
        *,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> None:
        quota = _checked_quota(events_per_minute, bytes_per_minute)

        def work(db: Database, audit: Audit) -> None:
            sql = "UPDATE access_tokens SET events_per_minute = ?, bytes_per_minute = ? WHERE token_id = ?"
            if not db.execute(sql, (events_per_minute, bytes_per_minute, token_id)).rowcount:
                raise NotFound(f"there is no token {token_id!r}")
            audit("token_quota", token_id=token_id, **quota)

        await self._write(work, actor, source)

    async def arevoke_token(self, token_id: str, *, actor: str | Who | None = None, source: str | None = None) -> None:
        def work(db: Database, audit: Audit) -> None:
            since = "UPDATE access_tokens SET revoked_at = coalesce(revoked_at, ?) WHERE token_id = ?"
            if not db.execute(since, (db.now(), token_id)).rowcount:
                raise NotFound(f"there is no token {token_id!r}")
            audit("token_revoke", token_id=token_id)

        await self._write(work, actor, source)

    async def tokens(self, account_id: str | None = None) -> list[Token]:
        of_account, values = ("TRUE", []) if account_id is None else ("account_id = ?", [account_id])
        sql = f"SELECT {_TOKEN} FROM access_tokens WHERE {of_account} ORDER BY token_id"
        return [_token(row) for row in await self._rows(sql, *values)]

    async def token(self, digest: str) -> Token | None:
        disabled = "SELECT account_id FROM accounts WHERE disabled_at IS NOT NULL"
        sql = f"SELECT {_TOKEN} FROM access_tokens WHERE digest = ? AND coalesce(account_id, '') NOT IN ({disabled})"
        rows = await self._rows(sql, digest)
        return _token(rows[0]) if rows else None

    async def aadd_session(
        self,
        account_id: str,
        digest: str,
        expires_at: str,
        *,
        password_hash: str | None = None,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> None:
        check_digest(digest)
        check_time(expires_at, "expires_at")

        def work(db: Database, audit: Audit) -> None:
            email_of(db, account_id)
            sql = "SELECT password_hash, disabled_at FROM accounts WHERE account_id = ?"
            stored_hash, disabled_at = db.execute(sql, (account_id,)).fetchone()
            if disabled_at is not None:
                raise Conflict("the account is disabled")
            if password_hash is not None and password_hash != stored_hash:
                raise Conflict("the password was changed meanwhile")
            if exists(db, "login_sessions", "digest", digest):
                raise Conflict("there is a session with this secret already")
            at = db.now()
            db.execute("DELETE FROM login_sessions WHERE expires_at <= ?", (at,))
            db.execute("INSERT INTO login_sessions VALUES (?, ?, ?, ?)", (digest, account_id, at, expires_at))
            audit("log_in")

        # Not counted: otherwise every log-in would make all processes read all rights again.
        await self._write(work, actor, source, counted=False)

    async def aend_session(self, digest: str, *, actor: str | Who | None = None, source: str | None = None) -> None:
        def work(db: Database, audit: Audit) -> None:
            if db.execute("DELETE FROM login_sessions WHERE digest = ?", (digest,)).rowcount:
                audit("log_out")

        await self._write(work, actor, source)

    async def session(self, digest: str) -> Session | None:
        sql = "SELECT account_id, created_at, expires_at FROM login_sessions WHERE digest = ? AND expires_at > ?"
        rows = await self._rows(sql, digest, now())
        return Session(account_id=rows[0][0], created_at=rows[0][1], expires_at=rows[0][2]) if rows else None


def _token(row: Sequence[Any]) -> Token:
    return Token(
        token_id=row[0],
        name=row[1],
        account_id=row[2],
        project_id=row[3],
        scopes=tuple(row[4].split()),
        created_at=row[5],
        expires_at=row[6],
        revoked_at=row[7],
        events_per_minute=row[8],
        bytes_per_minute=row[9],
    )


def _checked_quota(events_per_minute: int | None, bytes_per_minute: int | None) -> dict[str, int | None]:
    check_quota(events_per_minute, "events_per_minute")
    check_quota(bytes_per_minute, "bytes_per_minute")
    return {"events_per_minute": events_per_minute, "bytes_per_minute": bytes_per_minute}
