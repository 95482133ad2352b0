"""One-time links, with which a person sets a password."""

from __future__ import annotations

from abc import abstractmethod

from signalbox.store.blocking import Blocking, blocking
from signalbox.store.contract.values import Who
from signalbox.store.people import Account, LoginLink, Role


class LoginLinkKeeping(Blocking):
    """The one-time links of a store: see `People`."""

    @abstractmethod
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
        """Create an account without a password, and the link with which its person sets one. Audit: `user_invite`.

        `digest` is `digest_of(secret)` of the secret in the link. Raises Conflict like `aadd_account`.
        """

    invite = blocking(ainvite)

    @abstractmethod
    async def aadd_login_link(
        self,
        account_id: str,
        digest: str,
        expires_at: str,
        *,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> LoginLink:
        """Create a link with which a person sets a new password. It replaces the account's earlier ones.

        Raises Conflict if the account is disabled. Audit: `user_link`, with the purpose.
        """

    add_login_link = blocking(aadd_login_link)

    @abstractmethod
    async def ause_login_link(self, digest: str, password_hash: str, *, source: str | None = None) -> Account:
        """Set the password of the link's account. The links and sessions of the account end.

        Raises NotFound if the link can no longer be used, and Conflict if the account is disabled. Audit, in the name
        of the account: `invitation_accept` or `password_reset`.
        """

    use_login_link = blocking(ause_login_link)

    @abstractmethod
    async def login_link(self, digest: str) -> LoginLink | None:
        """Return the link with this digest, or None if it was used, was replaced or has expired."""

    @abstractmethod
    async def login_links(self) -> list[LoginLink]:
        """Return the links that can still be used, in order of creation."""
