"""The principal: the caller of a request with their rights, as an immutable value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from signalbox.store.contract import Who
from signalbox.store.people import SCOPES, SCOPES_OF_ROLE, Account, Role, Scope, Token

ProjectIds = tuple[str, ...] | None
"""Ids of projects in order; None means all projects."""


@dataclass(frozen=True, kw_only=True)
class Principal:
    """A person or a program. Audits use `name`. `key` distinguishes callers; None for callers without an identity.

    `grants` maps each scope that the principal can have to projects. A scope that is missing is refused everywhere. A
    scope without projects may get projects later.
    """

    name: str
    key: str | None = None
    grants: Mapping[Scope, ProjectIds] = field(default_factory=dict)
    account: Account | None = None
    token: Token | None = None

    @property
    def known(self) -> bool:
        """Whether this is an identified caller."""
        return bool(self.grants)

    @property
    def is_person(self) -> bool:
        """Whether this is a person with a session, who can log out."""
        return self.account is not None and self.token is None

    def projects(self, scope: Scope) -> ProjectIds:
        """Return the projects in which the principal has `scope`."""
        return self.grants.get(scope, ())

    def may(self, scope: Scope, project_id: str) -> bool:
        """Return whether the principal has `scope` in a project."""
        projects = self.projects(scope)
        return projects is None or project_id in projects

    @property
    def who(self) -> Who:
        """The actor for audits."""
        return Who(
            self.name,
            self.account.account_id if self.account else None,
            self.token.token_id if self.token else None,
        )

    @property
    def default_project(self) -> str | None:
        """The project of new tasks that name none; None for the default project."""
        return self.token.project_id if self.token else None


LOCAL = Principal(name="local user", grants=dict.fromkeys(SCOPES))
"""The user of this machine, while callers need not identify themselves."""

NOBODY = Principal(name="nobody")


def of_account(account: Account, roles: Mapping[str, Role]) -> Principal:
    """Return the principal of a person who is logged in."""
    return Principal(name=account.email, key=account.account_id, grants=_grants(account, roles), account=account)


def of_token(token: Token, account: Account | None, roles: Mapping[str, Role]) -> Principal:
    """Return the principal of a program, limited by the token's scopes and project, and by its account."""
    grants = _grants(account, roles) if account else dict.fromkeys(SCOPES)
    if token.project_id is not None:
        only = token.project_id
        grants = {scope: _within(projects, only) for scope, projects in grants.items()}
    grants = {scope: projects for scope, projects in grants.items() if scope in token.scopes}
    name = f"{account.email} (token {token.name})" if account else f"token {token.name}"
    return Principal(name=name, key=token.token_id, grants=grants, account=account, token=token)


def _grants(account: Account, roles: Mapping[str, Role]) -> dict[Scope, ProjectIds]:
    if account.admin:
        return dict.fromkeys(SCOPES)
    return {scope: tuple(sorted(p for p, role in roles.items() if scope in SCOPES_OF_ROLE[role])) for scope in SCOPES}


def _within(projects: ProjectIds, project_id: str) -> ProjectIds:
    return (project_id,) if projects is None or project_id in projects else ()
