"""The storage of people: accounts, tokens, sessions, projects and their members."""

from __future__ import annotations

from abc import abstractmethod

from signalbox.store.contract.people.accounts import AccountKeeping
from signalbox.store.contract.people.login_limits import LoginLimitKeeping
from signalbox.store.contract.people.login_links import LoginLinkKeeping
from signalbox.store.contract.people.projects import ProjectKeeping
from signalbox.store.contract.people.tokens import TokenKeeping


class People(AccountKeeping, TokenKeeping, LoginLinkKeeping, LoginLimitKeeping, ProjectKeeping):
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

    @abstractmethod
    async def version(self) -> int:
        """Return a number that grows with the writes of all processes: see the class docstring."""

    @abstractmethod
    async def guarded(self) -> bool:
        """Return whether there is an account or a token, which means that callers must authenticate.

        Disabled accounts and revoked or expired tokens count too, so that a store never becomes open by itself.
        """
