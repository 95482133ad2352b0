"""`signalbox verify`: proves logs complete and unchanged, without a server."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from signalbox.store import InvalidEvent
from signalbox.store.chain.findings import LogReport, SeqRange
from signalbox.store.chain.heads import CheckingKey, SignedHead, read_heads
from signalbox.store.chain.keys import checking_key
from signalbox.store.identity import parse_reference
from signalbox.store.verification import open_source, verify_store, verify_task
from signalbox.webapp.cli.cold import place_option
from signalbox.webapp.cli.table import json_option
from signalbox.webapp.cli.target import store_option, target
from signalbox.webapp.export.verified_file import verify_file
from signalbox.webapp.views.text import plural

INTACT, FAULTY, UNPROVED = 0, 1, 3
_SQLITE = b"SQLite format 3\x00"
_PATH = click.Path(path_type=Path)


class Proofs(NamedTuple):
    """What a verification compares logs with: published heads, and keys."""

    heads: list[SignedHead]
    keys: list[CheckingKey]
    must_be_signed: bool


@click.command()
@click.argument("what", metavar="FILE|TASK", required=False)
@click.option("--all", "all_tasks", is_flag=True, help="Verify every task of the store.")
@click.option("--key", "keys", metavar="FILE", type=_PATH, multiple=True, help="A public key that signed heads.")
@click.option("--heads", metavar="FILE", type=_PATH, help="Heads that were published: see `signalbox heads show`.")
@click.option("--require-signatures", is_flag=True, help="Report a log whose newest event no checked signature covers.")
@json_option
@place_option
@store_option
def verify(
    what: str | None,
    all_tasks: bool,
    keys: tuple[Path, ...],
    heads: Path | None,
    require_signatures: bool,
    as_json: bool,
    place: str | None,
    store: str | None,
) -> int:
    """Prove that a log is complete and unchanged, and name each event that is not.

    FILE is an export (NDJSON), a database or a backup; TASK is a task of --store. No server is needed, and nothing is
    changed.

    The exit code is 0 if nothing is wrong, 1 if something is, 2 if it cannot be read, and 3 if a log has no links,
    because an earlier version wrote it.
    """
    if (what is None) == (not all_tasks):
        raise click.UsageError("give a FILE or a TASK, or --all for every task of the store")
    proofs = Proofs(_published(heads), [checking_key(key) for key in keys], require_signatures)
    faulty = unproved = count = 0
    for report in _reports(what, store, place, proofs):
        count += 1
        faulty += not report.intact
        unproved += report.intact and report.linked_from is None and report.events > 0
        if as_json:
            click.echo(msgspec.json.encode({"intact": report.intact, **msgspec.structs.asdict(report)}))
        elif not (all_tasks and _is_plain(report)):
            click.echo("\n".join(_lines(report)))
    if not as_json and count != 1:
        click.echo(f"{plural(count, 'log')} verified: {f'{faulty} with faults' if faulty else 'nothing wrong'}")
    return FAULTY if faulty else UNPROVED if unproved else INTACT


def _reports(what: str | None, store: str | None, place: str | None, proofs: Proofs) -> Iterator[LogReport]:
    path = Path(what) if what is not None else None
    options = {"must_be_signed": proofs.must_be_signed}
    if path is not None and path.is_file():
        with path.open("rb") as file:
            if file.read(len(_SQLITE)) != _SQLITE:
                file.seek(0)
                yield verify_file(file, proofs.heads, proofs.keys, **options)
                return
        url = f"sqlite:///{path.absolute()}"
    else:
        if path is not None and (len(path.parts) > 1 or path.suffix in (".ndjson", ".db")):
            raise InvalidEvent(f"there is no file {path}")
        chosen = target(store)
        if chosen.server is not None:
            raise click.UsageError("verify reads a database or a file: give --store sqlite:///FILE or postgresql://…")
        url = chosen.store
    with open_source(url, place) as source:
        if path is not None and not path.is_file():
            task_id = parse_reference(str(path)).task_id
            yield verify_task(source, task_id, proofs.heads, proofs.keys, **options)
        else:
            yield from verify_store(source, proofs.heads, proofs.keys, **options)


def _published(path: Path | None) -> list[SignedHead]:
    return read_heads(path.read_bytes()) if path is not None else []


def _is_plain(report: LogReport) -> bool:
    """Return whether there is nothing to say about a log."""
    return report.intact and report.linked_from in (None, 1) and not (report.unlinked or report.unchecked)


def _lines(report: LogReport) -> Iterable[str]:
    """Return a report as lines: the result, then the faults, then the notes."""
    if not report.intact:
        yield f"{report.task_id}: {plural(report.fault_count, 'fault')} in {plural(report.events, 'event')}"
        yield from (f"  {fault.kind}: {fault.message}" for fault in report.faults)
        if report.fault_count > len(report.faults):
            yield f"  and {report.fault_count - len(report.faults):,} more"
    elif report.linked_from is None and report.events:
        yield f"{report.task_id}: {plural(report.events, 'event')} without links: an earlier version wrote this log"
    else:
        yield f"{report.task_id}: {plural(report.events, 'event')} verified"
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
