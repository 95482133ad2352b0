"""Log-in, log-out and password changes, limited and audited. Response times do not reveal whether an account exists."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import NamedTuple, cast

from quart import current_app

from signalbox.store import Conflict, InvalidEvent, Store, Who
from signalbox.store.contract import People
from signalbox.store.errors import NotFound
from signalbox.store.people import MAX_EMAIL_CHARS, Account, checked_email, digest_of
from signalbox.store.times import after
from signalbox.webapp.auth import passwords, secrets
from signalbox.webapp.auth.directory import Directory
from signalbox.webapp.auth.login_attempts import LoginAttempts, PasswordChecks, network_of
from signalbox.webapp.http.refusals import LoginsBusy
from signalbox.webapp.settings import Settings

DUMMY_HASH = "$argon2id$v=19$m=65536,t=3,p=4$pu0Jl6c9GSEIi8GFdXCO/g$eTnySZIy8WhasE844bk+YjlOa0Ln7VYytTghPmr45BU"
"""The hash that is checked if there is no account with the given address, so that the check takes the same time."""


class Logins:
    """The limits on log-ins: those of the store, and that of the password checks in this process."""

    def __init__(self, store: Store, attempts: int) -> None:
        self.attempts = LoginAttempts(store, attempts)
        self.checks = PasswordChecks()


class LoggedIn(NamedTuple):
    """A successful log-in: `secret` of the new session, and `browser`, the cookie of a known browser."""

    account: Account
    secret: str
    browser: str


async def log_in(email: str, password: str, source: str | None, browser: str | None = None) -> LoggedIn | None:
    """Log in and return the new session; None if no account has this address and password.

    `source` is the caller's network address, `browser` the cookie that an earlier log-in set. Raises TooManyLogins and
    LoginsBusy.
    """
    email, source = email.strip()[: MAX_EMAIL_CHARS + 1], source or ""
    limits, network = logins(), network_of(source)
    found = await people().account_by_email(email)
    # All spellings of an address share one budget: that of the account, if there is one.
    who = found[0].account_id if found else f"? {_spelling(email)}"
    attempt = await limits.attempts.attempt(who, network, browser)
    try:
        for _ in range(2):
            correct = await limits.checks.run(network, passwords.verify, found[1] if found else DUMMY_HASH, password)
            if found is None or not correct or found[0].disabled_at:
                break
            secret = await start_session(*found, source)
            if secret is not None:
                cookie = await limits.attempts.succeeded(attempt, who, network)
                await _renew_hash(*found, password, network)
                return LoggedIn(found[0], secret, cookie)
            # The password was changed or hashed again during the check.
            found = await people().account_by_email(email)
    except LoginsBusy:
        await limits.attempts.withdraw(attempt)
        raise
    await _audit(_who(found[0]) if found else Who("nobody"), "log_in_failed", source)
    return None


async def start_session(account: Account, stored_hash: str, source: str) -> str | None:
    """Return the secret of a new session; None if the account has another hash by now, or is disabled."""
    secret = secrets.new_secret()
    life = timedelta(seconds=cast(Settings, current_app.extensions["settings"]).session_life)
    expires = after(life, store_of_app().clock_offset)
    try:
        await people().aadd_session(
            account.account_id,
            digest_of(secret),
            expires,
            password_hash=stored_hash,
            actor=_who(account),
            source=source or None,
        )
    except (Conflict, NotFound):
        return None
    return secret


async def _renew_hash(account: Account, stored_hash: str, password: str, network: str) -> None:
    if passwords.is_outdated(stored_hash):
        with suppress(LoginsBusy):
            renewed = await logins().checks.run(network, passwords.hash_of, password)
            await people().arenew_hash(account.account_id, stored_hash, renewed)


def _spelling(email: str) -> str:
    try:
        return checked_email(email)
    except InvalidEvent:
        return email.lower()


async def log_out(digest: str, who: Who, source: str | None) -> None:
    """End the session with this digest in every process."""
    await people().aend_session(digest, actor=who, source=source)
    await _directory().changed()


async def change_password(account: Account, old: str, new: str, source: str | None) -> bool:
    """Change the password of an account and end its sessions; return False if the old one is wrong.

    Raises TooManyLogins, and InvalidEvent for a new one that is too weak.
    """
    limits, network = logins(), network_of(source)
    attempt = await limits.attempts.attempt(account.account_id, network)
    found = await people().account_by_email(account.email)
    try:
        correct = found is not None and await limits.checks.run(network, passwords.verify, found[1], old)
        if found is None or not correct:
            await _audit(_who(account), "password_change_failed", source)
            return False
        hashed = await limits.checks.run(network, passwords.hash_of, new)
    except LoginsBusy:
        await limits.attempts.withdraw(attempt)
        raise
    await limits.attempts.withdraw(attempt)
    try:
        await people().aset_password(
            account.account_id, hashed, instead_of=found[1], actor=_who(account), source=source
        )
    except Conflict:
        return False
    await _directory().changed()
    return True


async def _audit(who: Who, action: str, source: str | None) -> None:
    await store_of_app().aaudit(who, action, source=source or None)


def _who(account: Account) -> Who:
    return Who(account.email, account.account_id)


def logins() -> Logins:
    """Return the limits on log-ins of this process."""
    return cast(Logins, current_app.extensions["logins"])


def store_of_app() -> Store:
    """Return the store of this app. `current.store` is above this package."""
    return cast(Store, current_app.extensions["store"])


def people() -> People:
    """Return the people of the store."""
    return store_of_app().people


def _directory() -> Directory:
    return cast(Directory, current_app.extensions["directory"])
