"""What a store keeps of durable consumers: see `store.consumer`, which is written with these calls."""

from __future__ import annotations

from abc import abstractmethod

import msgspec

from signalbox.store.blocking import Blocking, blocking


class Claim(msgspec.Struct, frozen=True):
    """How a consumer stands. `held` says whether the caller holds it now.

    `position` is the event id up to which everything is committed, 0 at first. `epoch` is that of the database, and
    `renewals` grows with each renewal and commit of the holder.
    """

    held: bool
    position: int
    epoch: str
    renewals: int


class Consuming(Blocking):
    """A named position in the log, which one holder at a time may move. Each method is one transaction."""

    @abstractmethod
    async def aclaim(self, name: str, holder: str, seconds: float, *, unchanged: int | None = None) -> Claim:
        """Take the consumer `name` for `seconds`, or prolong it; if another holder has it, only tell how it stands.

        Another holder loses it when its time is over, or if its `renewals` are still `unchanged`: a caller that saw
        the same number for the whole time of a lease knows that the holder is gone, also when a clock was set back.
        In a database with another epoch than that of the position, the position is 0 again. Raises InvalidEvent for
        a bad name.
        """

    claim = blocking(aclaim)

    @abstractmethod
    async def acommit_position(self, name: str, holder: str, epoch: str, position: int, seconds: float) -> None:
        """Move the position forward to `position`, and prolong the lease.

        `epoch` is that of the claim. Raises LeaseLost, and changes nothing, if `holder` does not hold the consumer
        any more or the database has another epoch.
        """

    commit_position = blocking(acommit_position)

    @abstractmethod
    async def arelease(self, name: str, holder: str) -> None:
        """Give the consumer up, if `holder` has it, so that another process need not wait for the end of the lease."""

    release = blocking(arelease)
