"""The tokens and sessions by which a request acts for an account."""

from __future__ import annotations

from abc import abstractmethod

from signalbox.store.blocking import Blocking, blocking
from signalbox.store.contract.values import Who
from signalbox.store.people import Scope, Session, Token


class TokenKeeping(Blocking):
    """The tokens and sessions of a store: see `People`."""

    @abstractmethod
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
        """Create a token. Audit: `token_create`, with all values except the digest.

        `digest` is `digest_of(secret)`. Raises Conflict if there is a token with this digest.
        """

    add_token = blocking(aadd_token)

    @abstractmethod
    async def aset_quota(
        self,
        token_id: str,
        events_per_minute: int | None,
        bytes_per_minute: int | None,
        *,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> None:
        """Set the quota of a token; None means no limit. Audit: `token_quota`. Raises NotFound or InvalidEvent."""

    set_quota = blocking(aset_quota)

    @abstractmethod
    async def arevoke_token(self, token_id: str, *, actor: str | Who | None = None, source: str | None = None) -> None:
        """Revoke a token for good. A revoked token keeps the time of the first revocation. Audit: `token_revoke`."""

    revoke_token = blocking(arevoke_token)

    @abstractmethod
    async def tokens(self, account_id: str | None = None) -> list[Token]:
        """Return all tokens, or those of one account, in order of creation. Includes revoked and expired ones."""

    @abstractmethod
    async def token(self, digest: str) -> Token | None:
        """Return the token with this digest, even if it is revoked or expired. None if its account is disabled."""

    @abstractmethod
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
        """Create a session, and delete expired ones. Does not increment `version`. Audit: `log_in`.

        `password_hash` is the hash that the password was checked against. Raises Conflict if the account now has
        another hash, so that a log-in that began before a password change creates no session, or if it is disabled.
        """

    add_session = blocking(aadd_session)

    @abstractmethod
    async def aend_session(self, digest: str, *, actor: str | Who | None = None, source: str | None = None) -> None:
        """End the session with this digest, if there is one. Audit, if there is one: `log_out`."""

    end_session = blocking(aend_session)

    @abstractmethod
    async def session(self, digest: str) -> Session | None:
        """Return the session with this digest, or None if it has ended."""
