"""Invitations and resets: one-time links with which a person sets a password. The store keeps only their digests."""

from __future__ import annotations

from datetime import timedelta
from typing import NamedTuple

from signalbox.store.errors import NotFound
from signalbox.store.people import Account, LoginLink, Role, digest_of
from signalbox.store.times import after
from signalbox.webapp.auth import passwords
from signalbox.webapp.auth.actor import audit_arguments
from signalbox.webapp.auth.guard import directory
from signalbox.webapp.auth.login import logins, people, start_session, store_of_app
from signalbox.webapp.auth.login_attempts import network_of
from signalbox.webapp.auth.secrets import new_secret

INVITATION_LIFE = timedelta(days=7)
RESET_LIFE = timedelta(days=1)


class NewLink(NamedTuple):
    """A link that was just created. `secret` is the last part of its address, and is not stored."""

    account: Account
    secret: str
    expires_at: str


async def invite(email: str, *, admin: bool, project_id: str | None, role: Role | None) -> NewLink:
    """Create an account without a password, and its link. Raises InvalidEvent, Conflict and NotFound."""
    secret, expires_at = new_secret(), _after(INVITATION_LIFE)
    account = await people().ainvite(
        email, digest_of(secret), expires_at, admin=admin, project_id=project_id, role=role, **await audit_arguments()
    )
    await directory().changed()
    return NewLink(account, secret, expires_at)


async def new_link(account: Account) -> NewLink:
    """Create another link for an account; it replaces the earlier one. Raises NotFound and Conflict."""
    secret, expires_at = new_secret(), _after(INVITATION_LIFE if account.invited else RESET_LIFE)
    await people().aadd_login_link(account.account_id, digest_of(secret), expires_at, **await audit_arguments())
    return NewLink(account, secret, expires_at)


async def link_of(secret: str) -> tuple[LoginLink, Account]:
    """Return a link that can still be used, with its account. Raises NotFound."""
    link = await people().login_link(digest_of(secret))
    account = await people().account(link.account_id) if link else None
    if link is None or account is None:
        raise NotFound("this link has expired or was used already; ask an administrator for a new one")
    return link, account


async def use_link(secret: str, password: str, source: str | None) -> str:
    """Set the password of the link's account and log in; return the secret of the session.

    Raises InvalidEvent for a password that is not allowed, NotFound, Conflict and LoginsBusy.
    """
    await link_of(secret)
    hashed = await logins().checks.run(network_of(source), passwords.hash_of, password)
    account = await people().ause_login_link(digest_of(secret), hashed, source=source)
    await directory().changed()
    session = await start_session(account, hashed, source or "")
    if session is None:
        raise NotFound("the password was changed again meanwhile; log in with the newest one")
    return session


def _after(life: timedelta) -> str:
    return after(life, store_of_app().clock_offset)
