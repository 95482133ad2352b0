"""Verification of a cold file without its database."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from signalbox.store.chain.findings import LogReport
from signalbox.store.chain.heads import CheckingKey, SignedHead
from signalbox.store.chain.verification import verify
from signalbox.store.cold.errors import ColdFileTooNew
from signalbox.store.cold.file import ColdFile
from signalbox.store.cold.layout import HEADER
from signalbox.store.cold.places.directory import ColdDirectory
from signalbox.store.cold.verify import verify as verify_parts
from signalbox.store.errors import ColdFileDamaged
from signalbox.store.sql import log_links
from signalbox.store.verification.cold_entries import REDACTED, entries_in


def is_cold_file(start: bytes) -> bool:
    """Return whether a file that begins with these bytes is a cold file."""
    return start.startswith(HEADER)


def verify_cold_file(
    path: Path,
    heads: Sequence[SignedHead] = (),
    keys: Collection[CheckingKey] = (),
    *,
    must_be_signed: bool = False,
) -> LogReport:
    """Verify every part of a cold file, and the log in it, as `verify_task` verifies the log of a task.

    The heads are those that were signed before the task moved, and published ones. Raises ColdFileTooNew and
    ColdPlaceUnavailable.
    """
    place, name = ColdDirectory(path.absolute().parent), path.name
    # A file that cannot be opened does not say which task it has.
    report = LogReport(task_id=name)
    try:
        with closing(ColdFile.open(place, name)) as file, closing(file.open_image()) as image:

            def query(sql: str, values: tuple[object, ...]) -> Iterable[Any]:
                return image.execute(sql, values)

            task_id = file.footer.task_id
            report = LogReport(task_id=task_id, latest_seq=file.facts.last_seq)
            verify_parts(place, name)
            claims = log_links.claims_of(query, task_id)
            assert claims is not None, "verify_parts checks that the image has the task"
            stored = log_links.heads_of(query, task_id)
            identities = {claims.identity, *(head.identity for head in stored)}
            stored += [head for head in heads if head.identity in identities and head not in stored]
            entries = entries_in(file, dict(query(REDACTED, (task_id,))))
            return verify(claims, entries, stored, keys, must_be_signed=must_be_signed)
    except ColdFileTooNew:
        raise
    except ColdFileDamaged as error:
        report.add("unreadable", None, str(error))
        return report
