"""The principal: who asks, and what they may do where. A value: what it says is decided when it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from signalbox.store.contract import Who
from signalbox.store.people import SCOPES, SCOPES_OF_ROLE, Account, Role, Scope, Token

ProjectIds = tuple[str, ...] | None
"""Projects in the order of their ids; None is all of them."""


@dataclass(frozen=True, kw_only=True)
class Principal:
    """A person or a program. `name` is what audits call it, `key` tells callers apart, None is nobody in particular.

    `grants` has the projects of each scope that the principal can have at all: a scope that is not in it is refused
    everywhere, one with no project may get some later.
    """

    name: str
    key: str | None = None
    grants: Mapping[Scope, ProjectIds] = field(default_factory=dict)
    account: Account | None = None
    token: Token | None = None

    @property
    def known(self) -> bool:
        """Whether anybody stands behind it."""
        return bool(self.grants)

    @property
    def is_person(self) -> bool:
        """Whether this is somebody who has logged in with a browser, and so can log out."""
        return self.account is not None and self.token is None

    def projects(self, scope: Scope) -> ProjectIds:
        """The projects in which it has `scope`."""
        return self.grants.get(scope, ())

    def may(self, scope: Scope, project_id: str) -> bool:
        """Whether it has `scope` in a project."""
        projects = self.projects(scope)
        return projects is None or project_id in projects

    @property
    def who(self) -> Who:
        """Whom an audit names."""
        return Who(
            self.name,
            self.account.account_id if self.account else None,
            self.token.token_id if self.token else None,
        )

    @property
    def home(self) -> str | None:
        """The project of what it makes without saying where; None: the default one."""
        return self.token.project_id if self.token else None


LOCAL = Principal(name="local user", grants=dict.fromkeys(SCOPES))
"""Whoever sits at this machine, while nobody has to say who they are."""

NOBODY = Principal(name="nobody")


def of_account(account: Account, roles: Mapping[str, Role]) -> Principal:
    """Somebody who is logged in."""
    return Principal(name=account.email, key=account.account_id, grants=_grants(account, roles), account=account)


def of_token(token: Token, account: Account | None, roles: Mapping[str, Role]) -> Principal:
    """A program: bounded by its token's scopes and project, and by what the account behind it may."""
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
