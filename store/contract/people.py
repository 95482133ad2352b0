"""The storage of people: accounts, tokens, sessions, projects and their members."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

from signalbox.store.blocking import Blocking, blocking
from signalbox.store.contract.values import Who
from signalbox.store.people import (
    Account,
    LoginBudget,
    LoginLink,
    Member,
    Project,
    Role,
    Scope,
    Session,
    TaskSummary,
    Token,
)


class People(Blocking):
    """The people of a store, available as `store.people`. The module `signalbox.store.people` defines their values.

    Each write is one transaction. It is a coroutine with the prefix `a`, and has a blocking form without the prefix
    (see `store.blocking`). Reads are coroutines only. A write that raises an error changes nothing. It raises
    `InvalidEvent` for a bad value, with the name in `field`, `Conflict` if something already exists, `NotFound` if
    something does not exist, and `StoreUnavailable`.

    A write that takes `actor` adds an audit in its transaction: `actor` is the person who acts, `source` is the address
    or program they act from, and the method's docstring names the audit's action. Without an `actor`, as when a program
    sets up its own store, no audit is added.

    Every write that changes the rights of an account or ends a session or token increments `version`, by which other
    processes notice the change.
    """

    # accounts

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

    # tokens and sessions

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

    # one-time links

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

    # limits on log-ins

    @abstractmethod
    async def astart_login(self, attempt_id: str, budgets: Sequence[LoginBudget]) -> float | None:
        """Count an attempt to log in, which counts as failed until it is withdrawn, in each of these budgets.

        If one of them is used up, by the attempts of all processes, nothing is counted, and the seconds until it has
        room again are returned.
        """

    start_login = blocking(astart_login)

    @abstractmethod
    async def awithdraw_login(self, attempt_id: str) -> None:
        """Do not count this attempt any more."""

    withdraw_login = blocking(awithdraw_login)

    @abstractmethod
    async def afinish_login(self, attempt_id: str, budget: str, place: str) -> None:
        """Withdraw a successful attempt, empty the budget with this name, and remember the place for `PLACE_LIFE`.

        `place` is the digest of an account and a network.
        """

    finish_login = blocking(afinish_login)

    @abstractmethod
    async def known_place(self, place: str) -> bool:
        """Return whether a log-in succeeded at this place within the last `PLACE_LIFE` seconds."""

    # projects

    @abstractmethod
    async def aadd_project(
        self,
        project_id: str,
        name: str,
        *,
        agent: dict[str, Any] | None = None,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> Project:
        """Create a project. Raises Conflict if it exists. Audit: `project_add`."""

    add_project = blocking(aadd_project)

    @abstractmethod
    async def aset_agent(
        self,
        project_id: str,
        agent: dict[str, Any] | None,
        *,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> None:
        """Replace the agent of a project; None removes it. Audit: `project_agent`, with the agent's kind."""

    set_agent = blocking(aset_agent)

    @abstractmethod
    async def aremove_project(
        self, project_id: str, *, actor: str | Who | None = None, source: str | None = None
    ) -> None:
        """Remove a project with its memberships and tokens. Audit: `project_remove`.

        Raises Conflict if it has tasks, and for the default project.
        """

    remove_project = blocking(aremove_project)

    @abstractmethod
    async def aset_member(
        self,
        project_id: str,
        account_id: str,
        role: Role | None,
        *,
        actor: str | Who | None = None,
        source: str | None = None,
    ) -> None:
        """Give an account a role in a project; None ends its membership. Audit: `project_member`."""

    set_member = blocking(aset_member)

    @abstractmethod
    async def projects(self) -> list[Project]:
        """Return all projects, by id."""

    @abstractmethod
    async def project(self, project_id: str) -> Project | None:
        """Return a project, or None if there is no such project."""

    @abstractmethod
    async def members(self, project_id: str) -> list[Member]:
        """Return the members of a project, by e-mail address. The list is empty if there is no such project."""

    @abstractmethod
    async def roles(self, account_id: str) -> dict[str, Role]:
        """Return the role of an account by project id, for each project that it is a member of."""

    @abstractmethod
    async def project_of(self, task_id: str) -> str | None:
        """Return the project of a task, or None if there is no such task."""

    @abstractmethod
    async def task_summary(self, task_id: str) -> TaskSummary | None:
        """Return the project, identity and kind of a task, or None if there is no such task."""

    # all people

    @abstractmethod
    async def version(self) -> int:
        """Return a number that grows with the writes of all processes: see the class docstring."""

    @abstractmethod
    async def guarded(self) -> bool:
        """Return whether there is an account or a token, which means that callers must authenticate.

        Disabled accounts and revoked or expired tokens count too, so that a store never becomes open by itself.
        """
