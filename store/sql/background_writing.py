"""The writes of background work: leases, the positions of consumers, and the index of the search over all runs.

No page shows them, so they are quiet: the followers of the log are not woken.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from signalbox.store.contract.leasing import Claim, Fence
from signalbox.store.contract.writing import Writing
from signalbox.store.events import check_text
from signalbox.store.search.documents import Document
from signalbox.store.sql import leases
from signalbox.store.sql.database import Database
from signalbox.store.sql.group_commit import Calls
from signalbox.store.sql.searching import index as search_index

T = TypeVar("T")


class BackgroundWrites(Writing):
    """Implements the leases, consumers and index of `Writing`."""

    _calls: Calls

    async def _write(self, work: Callable[[Database], T]) -> T:
        return await self._calls.write(work, quiet=True)

    # leases and consumers

    async def aclaim(self, name: str, holder: str, seconds: float, *, unchanged: int | None = None) -> Claim:
        check_text(name, "name")
        return await self._write(lambda db: leases.claim(db, name, holder, seconds, unchanged))

    async def acommit_position(self, name: str, holder: str, epoch: str, position: int, seconds: float) -> None:
        await self._write(lambda db: leases.commit(db, name, holder, epoch, position, seconds))

    async def arelease(self, name: str, holder: str, *, forget: bool = False) -> None:
        await self._write(lambda db: leases.release(db, name, holder, forget))

    # the index of the search over all runs

    async def aopen_index(self, fence: Fence) -> str:
        return await self._write(lambda db: search_index.open_index(db, fence))

    async def aindex(
        self,
        fence: Fence,
        documents: Sequence[Document],
        blocks: Sequence[int],
        *,
        next_block: int | None = None,
        erasures: int | None = None,
        changes: int | None = None,
    ) -> float:
        return await self._write(
            lambda db: search_index.index(db, fence, documents, blocks, next_block, erasures, changes)
        )

    async def aindex_part(self, fence: Fence, part: int, bits: bytes | None) -> None:
        await self._write(lambda db: search_index.index_part(db, fence, part, bits))

    async def atidy_index(self, fence: Fence) -> bool:
        return await self._write(lambda db: search_index.tidy(db, fence))

    async def adrop_index(self, fence: Fence, limit: int) -> bool:
        return await self._write(lambda db: search_index.drop(db, fence, limit))

    async def arebuild_index(self) -> None:
        await self._calls.write(search_index.rebuild)
