"""Limits on failed log-ins, and the places from which a person has logged in."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from signalbox.store.blocking import Blocking, blocking
from signalbox.store.people import LoginBudget


class LoginLimitKeeping(Blocking):
    """The limits on log-ins of a store: see `People`."""

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
