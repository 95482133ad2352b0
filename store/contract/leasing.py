"""Leases, which make one of many processes do some work, on one machine or on several. `store.leadership` uses them."""

from __future__ import annotations

from abc import abstractmethod

import msgspec

from signalbox.store.blocking import Blocking, blocking


class Claim(msgspec.Struct, frozen=True):
    """The state of a lease. `held` says whether the caller holds it now.

    `epoch` is the epoch of the database. `renewals` grows with each renewal and commit of the holder. `position` is
    the event id up to which the consumer of this name has processed all events, 0 at first.
    """

    held: bool
    position: int
    epoch: str
    renewals: int


class Fence(msgspec.Struct, frozen=True):
    """A lease and the holder that it must have. A write with a fence raises LeaseLost if the lease has another holder.

    A process that was stopped does not know that its lease expired meanwhile. The fence is checked in the transaction
    of the write, so such a process writes nothing that its successor writes too.
    """

    name: str
    holder: str


class Leasing(Blocking):
    """The writes of leases. A lease has a name, at most one holder, and an expiry by the clock of the database.

    Each method is one transaction.
    """

    @abstractmethod
    async def aclaim(self, name: str, holder: str, seconds: float, *, unchanged: int | None = None) -> Claim:
        """Take the lease `name` for `seconds`, or renew it, and return its state.

        If another holder has the lease, nothing changes. Another holder loses the lease when it expires, or if its
        `renewals` are still `unchanged`: a caller that has seen the same number for the duration of a lease knows that
        the holder is gone, even if a clock was set back. If the database has another epoch than at the last claim, the
        lease is free and the position is reset to 0. Raises InvalidEvent for a bad name.
        """

    claim = blocking(aclaim)

    @abstractmethod
    async def arelease(self, name: str, holder: str, *, forget: bool = False) -> None:
        """Release the lease if `holder` has it, so that another process need not wait until it expires.

        With `forget` the lease and its position are deleted, because nobody will claim this name again.
        """

    release = blocking(arelease)
