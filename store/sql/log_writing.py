"""The writes that change a log after its events were appended: erasing events, and signing heads."""

from __future__ import annotations

from collections.abc import Sequence

from signalbox.store.chain.heads import SignedHead, SigningKey
from signalbox.store.contract import Who
from signalbox.store.contract.writing import Writing
from signalbox.store.errors import InvalidEvent, TaskIsCold
from signalbox.store.events import MAX_REASON_CHARS, check_task_id, check_text
from signalbox.store.sql import artifacts, audits, erasing
from signalbox.store.sql.cold_tasks.files import ColdFiles
from signalbox.store.sql.group_commit import Calls, GroupCommit
from signalbox.store.sql.imported_links import insert_new_heads


class LogWrites(Writing):
    """Implements `aerase_events` and `asign_heads` of `Writing`."""

    _calls: Calls
    _writer: GroupCommit
    cold_files: ColdFiles

    async def aerase_events(
        self,
        task_id: str,
        seqs: Sequence[int],
        *,
        actor: str | Who,
        reason: str,
        source: str | None = None,
        identity: str | None = None,
        key: SigningKey | None = None,
    ) -> list[int]:
        check_task_id(task_id)
        check_text(reason, "reason", limit=MAX_REASON_CHARS)
        if not 0 < len(seqs) <= erasing.MAX_EVENTS:
            raise InvalidEvent(f"seqs must name 1 to {erasing.MAX_EVENTS:,} events, not {len(seqs)}", "seqs")
        detail = {"reason": reason, "events": len(set(seqs)), "seqs": sorted(set(seqs))[:100]}
        audit = audits.checked(actor, "events_erased", source, detail)

        def erase() -> list[int]:
            erasure = erasing.Erasure(task_id, seqs, audit, reason, key or self.log_key, identity)
            run = self._writer.run
            run(erasure.begin)
            written = False
            while not written:
                while events := run(erasure.following):
                    erasure.fold(events)
                written = run(erasure.write)
            artifacts.delete_unused(run, erasure.contents)
            self._forget_erased()
            return erasure.erased

        try:
            return await self._calls.off_the_loop(erase)
        except TaskIsCold:
            await self.cold_files.abring_back(task_id, blocks=self._calls.blocking)
        return await self._calls.off_the_loop(erase)

    def _forget_erased(self) -> None:
        """Remove what the database keeps of erased rows for a while. A kind of store overrides this if it can."""

    async def asign_heads(self, heads: Sequence[SignedHead]) -> None:
        await self._calls.write(lambda db: insert_new_heads(db, heads))
