"""The verification of logs by `signalbox doctor`: of all, or of a sample."""

from __future__ import annotations

from collections.abc import Iterator

from signalbox.store.cold.errors import ColdPlaceUnavailable
from signalbox.store.errors import StoreError
from signalbox.store.sql import log_links
from signalbox.store.sql.findings import MAX_FINDINGS, Finding
from signalbox.store.verification import open_source, verify_task
from signalbox.store.verification.source import LogSource

SAMPLE_TASKS = 20
SAMPLE_EVENTS = 2000
"""A sample has the newest tasks with at most this many events each."""

_NEWEST = (
    "SELECT t.task_id FROM tasks t JOIN task_event_seq_counters c ON c.task_id = t.task_id"
    " WHERE c.last_seq <= ? ORDER BY t.created_at DESC, t.task_id DESC LIMIT ?"
)
_ADVICE = (
    "compare the log with a backup or an export; if the change was intended, export the task, delete it, and import it"
    " with --new-links"
)


def examine_logs(url: str, cold_storage: str | None = None, *, every: bool) -> Iterator[Finding]:
    """Yield a finding for each log that was changed.

    A database or a cold file that cannot be read yields none: the other checks report it, with other advice.
    """
    try:
        with open_source(url, cold_storage) as source:
            yield from _faulty(source, every)
    except StoreError:
        return  # The other checks report this.


def _faulty(source: LogSource, every: bool) -> Iterator[Finding]:
    if not source.linked:
        return
    if every:
        names = log_links.task_ids(source.query)
    else:
        names = iter([str(name) for (name,) in source.query(_NEWEST, (SAMPLE_EVENTS, SAMPLE_TASKS))])
    reported = 0
    for task_id in names:
        try:
            report = verify_task(source, task_id)
        except ColdPlaceUnavailable:
            continue
        # Only a cold file makes a log in a database unreadable.
        if report.intact or [fault.kind for fault in report.faults] == ["unreadable"]:
            continue
        reported += 1
        if reported > MAX_FINDINGS:
            yield Finding("log", "more logs cannot be verified; `signalbox verify --all` names them", _ADVICE)
            return
        first = report.faults[0].message
        more = f", and {report.fault_count - 1:,} more faults" if report.fault_count > 1 else ""
        yield Finding("log", f"the log of the task {task_id} is not what was appended: {first}{more}", _ADVICE)
