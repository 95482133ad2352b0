"""The accounts of people, with their passwords."""

from __future__ import annotations

from abc import abstractmethod

from signalbox.store.blocking import Blocking, blocking
from signalbox.store.contract.values import Who
from signalbox.store.people import Account, Role


class AccountKeeping(Blocking):
    """The accounts of a store: see `People`."""

    @abstractmethod
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
        """Create an account, and with `project_id` and `role` its membership in a project. Audit: `user_add`.

        `email` may be in any spelling that `checked_email` accepts. `password_hash` has at most 512 characters. Raises
        Conflict if the address already has an account.
        """

    add_account = blocking(aadd_account)

    @abstractmethod
    async def aset_password(
        self,
        account_id: str,
        password_hash: str,
        *,
        instead_of: str | None = None,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> None:
        """Replace the password's hash, and end all sessions of the account.

        Raises Conflict if `instead_of` is given and is not the present hash. Audit: `password_change` if the actor is
        the account itself, else `user_password`.
        """

    set_password = blocking(aset_password)

    @abstractmethod
    async def arenew_hash(self, account_id: str, password_hash: str, renewed: str) -> None:
        """Replace `password_hash` by `renewed`, a hash of the same password. Sessions stay valid.

        Does nothing if the account's hash has changed meanwhile, or if there is no such account.
        """

    renew_hash = blocking(arenew_hash)

    @abstractmethod
    async def aset_disabled(
        self, account_id: str, disabled: bool, *, actor: str | Who | None = None, source: str | None = None
    ) -> None:
        """Disable an account, or enable it. Audit: `user_disable` or `user_enable`.

        A disabled account cannot log in. Its sessions end, and its tokens stop working until it is enabled.
        """

    set_disabled = blocking(aset_disabled)

    @abstractmethod
    async def aremove_account(
        self, account_id: str, *, actor: str | Who | None = None, source: str | None = None
    ) -> None:
        """Remove an account with its memberships, sessions and tokens. Audit: `user_remove`."""

    remove_account = blocking(aremove_account)

    @abstractmethod
    async def accounts(self) -> list[Account]:
        """Return all accounts, by e-mail address."""

    @abstractmethod
    async def account(self, account_id: str) -> Account | None:
        """Return an account, or None if there is no such account."""

    @abstractmethod
    async def account_by_email(self, email: str) -> tuple[Account, str] | None:
        """Return the account with this address, in any spelling, and its password's hash, or None."""
