"""The storage of durable consumers, on which `store.consumer` is built."""

from __future__ import annotations

from abc import abstractmethod

import msgspec

from signalbox.store.blocking import Blocking, blocking


class Claim(msgspec.Struct, frozen=True):
    """The state of a consumer. `held` says whether the caller holds its lease now.

    `position` is the event id up to which all events are processed, 0 at first. `epoch` is the epoch of the database,
    and `renewals` grows with each renewal and commit of the holder.
    """

    held: bool
    position: int
    epoch: str
    renewals: int


class Consuming(Blocking):
    """The writes of consumers. A consumer is a named position in the log, which only the holder of its lease may move.

    Each method is one transaction.
    """

    @abstractmethod
    async def aclaim(self, name: str, holder: str, seconds: float, *, unchanged: int | None = None) -> Claim:
        """Take the lease of the consumer `name` for `seconds`, or renew it, and return the consumer's state.

        If another holder has the lease, nothing changes. Another holder loses the lease when it expires, or if its
        `renewals` are still `unchanged`: a caller that has seen the same number for the duration of a lease knows that
        the holder is gone, even if a clock was set back. If the position is from a database with another epoch, it is
        reset to 0. Raises InvalidEvent for a bad name.
        """

    claim = blocking(aclaim)

    @abstractmethod
    async def acommit_position(self, name: str, holder: str, epoch: str, position: int, seconds: float) -> None:
        """Move the position forward to `position`, and renew the lease.

        `epoch` is the epoch of the claim. Raises LeaseLost, and changes nothing, if `holder` no longer holds the lease
        or the database has another epoch.
        """

    commit_position = blocking(acommit_position)

    @abstractmethod
    async def arelease(self, name: str, holder: str) -> None:
        """Release the lease if `holder` has it, so that another process need not wait until it expires."""

    release = blocking(arelease)
