"""The lines that `signalbox verify` prints about a log."""

from __future__ import annotations

from collections.abc import Iterable

from signalbox.store.chain.findings import LogReport, SeqRange
from signalbox.webapp.views.text import plural


def is_plain(report: LogReport) -> bool:
    """Return whether there is nothing to say about a log."""
    return report.intact and report.linked_from in (None, 1) and not (report.unlinked or report.unchecked)


def lines_of(report: LogReport, name: str) -> Iterable[str]:
    """Return a report as lines: the result, then the faults, then the notes. `name` is that of the log."""
    if not report.intact:
        yield f"{name}: {plural(report.fault_count, 'fault')} in {plural(report.events, 'event')}"
        yield from (f"  {fault.kind}: {fault.message}" for fault in report.faults)
        if report.fault_count > len(report.faults):
            yield f"  and {report.fault_count - len(report.faults):,} more"
    elif report.linked_from is None and report.events:
        yield f"{name}: {plural(report.events, 'event')} without links: an earlier version wrote this log"
    else:
        yield f"{name}: {plural(report.events, 'event')} verified"
    yield from (f"  {note}" for note in _notes(report))


def _notes(report: LogReport) -> Iterable[str]:
    if report.linked_from is not None and report.linked_from > 1:
        yield f"#1 to #{report.linked_from - 1} have no links: an earlier version appended them; they are not proved"
    for found in report.unlinked:
        yield f"{_range(found)} no link: an earlier version appended it; it is not proved"
    if report.imported_to:
        yield f"imported up to #{report.imported_to}"
    if report.redacted_count:
        yield f"redacted: {_named(report.redacted, report.redacted_count)}"
    if report.erased_count:
        yield f"erased: {_named(report.erased, report.erased_count)}"
    if report.signed_to is not None:
        yield f"signed up to #{report.signed_to} by {', '.join(report.signed_by)}"
    elif report.linked_from is not None:
        yield "not signed" if not report.unchecked else "no signature was checked"
    if report.unchecked:
        yield f"{plural(report.unchecked, 'signature')} by keys that are not known here: give them with --key"


def _range(found: SeqRange) -> str:
    return f"#{found.first} has" if found.first == found.last else f"#{found.first} to #{found.last} have"


def _named(seqs: list[int], count: int) -> str:
    shown = ", ".join(f"#{seq}" for seq in seqs[:10])
    return shown if count <= 10 else f"{shown} and {count - 10:,} more"
