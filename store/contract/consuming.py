"""The storage of durable consumers, on which `store.consumer` is built."""

from __future__ import annotations

from abc import abstractmethod

from signalbox.store.blocking import blocking
from signalbox.store.contract.leasing import Leasing


class Consuming(Leasing):
    """The writes of consumers. A consumer is a lease with a position in the log, which only the holder may move."""

    @abstractmethod
    async def acommit_position(self, name: str, holder: str, epoch: str, position: int, seconds: float) -> None:
        """Move the position forward to `position`, and renew the lease.

        `epoch` is the epoch of the claim. Raises LeaseLost, and changes nothing, if `holder` no longer holds the lease
        or the database has another epoch.
        """

    commit_position = blocking(acommit_position)
