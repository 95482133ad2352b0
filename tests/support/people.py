"""Create accounts, sessions and tokens directly in the store, without a password check."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from signalbox.store import Conflict
from signalbox.store.people import Account, Role, Scope, digest_of
from signalbox.store.sqlite import SqliteStore
from signalbox.webapp.auth import passwords
from signalbox.webapp.auth.secrets import new_secret
from tests.support.server import Server
from tests.support.waiting import wait_until

PASSWORD = "a password for tests"
ALL_SCOPES: tuple[Scope, ...] = ("read", "emit", "respond", "admin")

Headers = dict[str, str]
_hash = ""
_token_ids: dict[tuple[str, str], str] = {}


def person(store: SqliteStore, email: str, *, admin: bool = False, **roles: Role) -> Account:
    """Create an account with the password PASSWORD and a role in each given project."""
    global _hash
    _hash = _hash or passwords.hash_of(PASSWORD)
    account = store.people.add_account(email, _hash, admin=admin)
    for project_id, role in roles.items():
        project(store, project_id)
        store.people.set_member(project_id, account.account_id, role)
    return account


def project(store: SqliteStore, project_id: str) -> None:
    """Create a project, unless it exists."""
    with suppress(Conflict):
        store.people.add_project(project_id, project_id)


def session(store: SqliteStore, account: Account, *, seconds: float = 3600) -> Headers:
    """Return the headers of a browser in which this account is logged in for `seconds`."""
    secret = new_secret()
    store.people.add_session(account.account_id, digest_of(secret), time_from_now(seconds))
    return {"Cookie": f"signalbox_session={secret}"}


def token(store: SqliteStore, name: str, *, seconds: float | None = None, **fields: Any) -> Headers:
    """Return the headers of a program with a new token that expires in `seconds`."""
    end = None if seconds is None else time_from_now(seconds)
    made = store.people.add_token(name, digest_of(name), **{"scopes": ALL_SCOPES, "expires_at": end, **fields})
    _token_ids[store.url, name] = made.token_id
    return {"Authorization": f"Bearer {name}"}


def revoke(store: SqliteStore, name: str) -> None:
    """Revoke a token that `token` created."""
    store.people.revoke_token(_token_ids[store.url, name])


def wait_until_guarded(server: Server) -> None:
    """Wait until the server has noticed that accounts or tokens exist."""
    wait_until(lambda: server.get("/api/tasks", timeout=60).status_code == 401, message="the server refused no callers")


def time_from_now(seconds: float) -> str:
    """Return the time in `seconds` from now, in the store's format."""
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")
