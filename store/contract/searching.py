"""The writes of the index of the search over all runs, on which `store.indexing` is built."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from signalbox.store.blocking import blocking
from signalbox.store.contract.leasing import Fence, Leasing
from signalbox.store.search.documents import Document


class Searching(Leasing):
    """The writes of the search index. Each is one short transaction, and raises LeaseLost unless the fence holds."""

    @abstractmethod
    async def aopen_index(self, fence: Fence) -> str:
        """Create the index if it does not exist. Return why there can be none, or ""."""

    open_index = blocking(aopen_index)

    @abstractmethod
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
        """Replace the documents of these blocks by `documents`, of which an empty block has none.

        `next_block` is the first block that is not indexed after this, or None if that does not change. `erasures` is
        what `LinkReading.erasures` returned before the events were read: if events have been erased since, nothing is
        written, because the documents may have their text. `changes` is that of the `IndexWork` that was read before
        the events: if stored events have changed since, the blocks count as changed. Returns the seconds that the
        transaction worked, without its waits for other writers.
        """

    index = blocking(aindex)

    @abstractmethod
    async def aindex_part(self, fence: Fence, part: int, bits: bytes | None) -> None:
        """Replace the documents of the blocks of a part by its filter, or with None remove the filter of a part."""

    index_part = blocking(aindex_part)

    @abstractmethod
    async def atidy_index(self, fence: Fence) -> bool:
        """Do one step of the work that keeps the index fast. Return whether there may be more to do."""

    tidy_index = blocking(atidy_index)

    @abstractmethod
    async def adrop_index(self, fence: Fence, limit: int) -> bool:
        """Remove a part of the index, of about `limit` blocks, and return whether more is left.

        From the first call until the index is opened again, searches do without it.
        """

    drop_index = blocking(adrop_index)

    @abstractmethod
    async def arebuild_index(self) -> None:
        """Ask the process that fills the index to remove it and to fill it again."""

    rebuild_index = blocking(arebuild_index)
