"""`signalbox verify`: proves logs complete and unchanged, without a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import click
import msgspec

from signalbox.store import InvalidEvent, StoreError, UnknownTask
from signalbox.store.chain.findings import LogReport
from signalbox.store.chain.heads import CheckingKey, SignedHead, read_heads
from signalbox.store.chain.keys import checking_key
from signalbox.store.identity import parse_reference
from signalbox.store.kinds import sqlite_url
from signalbox.store.sql.log_links import task_ids
from signalbox.store.verification import open_source, verify_task
from signalbox.store.verification.cold_file import is_cold_file, verify_cold_file
from signalbox.webapp.cli.cold import place_option
from signalbox.webapp.cli.table import json_option
from signalbox.webapp.cli.target import store_option, target
from signalbox.webapp.cli.verified_logs import is_plain, lines_of
from signalbox.webapp.export.verified_file import verify_file
from signalbox.webapp.process.notice import notice
from signalbox.webapp.views.text import plural

INTACT, FAULTY, UNREADABLE, UNPROVED = 0, 1, 2, 3
_WORST_FIRST = (FAULTY, UNREADABLE, UNPROVED, INTACT)
_SQLITE = b"SQLite format 3\x00"
_PATH = click.Path(path_type=Path)


class Proofs(NamedTuple):
    """What a verification compares logs with: published heads, and keys."""

    heads: list[SignedHead]
    keys: list[CheckingKey]
    must_be_signed: bool


class Log(NamedTuple):
    """A log to verify. `file` is the file that has it, None for a task of the store.

    `verify` returns None for a task that was deleted meanwhile, and raises InvalidEvent and StoreError.
    """

    file: str | None
    verify: Callable[[], LogReport | None]


@click.command()
@click.argument("what", metavar="FILE|TASK...", nargs=-1)
@click.option("--all", "all_tasks", is_flag=True, help="Verify every task of the store.")
@click.option("--key", "keys", metavar="FILE", type=_PATH, multiple=True, help="A public key that signed heads.")
@click.option("--heads", metavar="FILE", type=_PATH, help="Heads that were published: see `signalbox heads show`.")
@click.option("--require-signatures", is_flag=True, help="Report a log whose newest event no checked signature covers.")
@json_option
@place_option
@store_option
def verify(
    what: Sequence[str],
    all_tasks: bool,
    keys: tuple[Path, ...],
    heads: Path | None,
    require_signatures: bool,
    as_json: bool,
    place: str | None,
    store: str | None,
) -> int:
    """Prove that logs are complete and unchanged, and name each event that is not.

    FILE is an export (NDJSON), a file of cold storage, a database or a backup; TASK is a task of --store. No server is
    needed, and nothing is changed.

    The exit code is 0 if nothing is wrong, 1 if something is, 2 if a log cannot be read, and 3 if a log has no links,
    because an earlier version wrote it. Of several logs the worst one counts: 1, then 2, then 3.
    """
    if bool(what) == all_tasks:
        raise click.UsageError("give each FILE or TASK, or --all for every task of the store")
    proofs = Proofs(_published(heads), [checking_key(key) for key in keys], require_signatures)
    codes: list[int] = []
    for one in what or (None,):
        try:
            for log in _logs(one, store, place, proofs):
                try:
                    report = log.verify()
                except (InvalidEvent, StoreError) as error:
                    codes.append(_unreadable(one, len(what), error))
                    continue
                if report is None:
                    continue
                codes.append(_code(report))
                name = f"{log.file}: {report.task_id}" if log.file and len(what) > 1 else report.task_id
                if as_json:
                    shown = {"intact": report.intact, "file": log.file, **msgspec.structs.asdict(report)}
                    click.echo(msgspec.json.encode(shown))
                elif not (all_tasks and is_plain(report)):
                    click.echo("\n".join(lines_of(report, name)))
        except (InvalidEvent, StoreError, OSError) as error:
            codes.append(_unreadable(one, len(what), error))
    if not as_json and (len(codes) != 1 or all_tasks):
        click.echo(_summary(codes))
    return next((code for code in _WORST_FIRST if code in codes), INTACT)


def _logs(what: str | None, store: str | None, place: str | None, proofs: Proofs) -> Iterator[Log]:
    """Yield the logs of one argument, or of the whole store. Raises InvalidEvent, StoreError and OSError."""
    path = Path(what) if what is not None else None
    heads, keys, options = proofs.heads, proofs.keys, {"must_be_signed": proofs.must_be_signed}
    if path is not None and path.is_file():
        with path.open("rb") as file:
            start = file.read(64)
            if is_cold_file(start):
                yield Log(what, partial(verify_cold_file, path, heads, keys, **options))
                return
            if not start.startswith(_SQLITE):
                file.seek(0)
                yield Log(what, partial(verify_file, file, heads, keys, **options))
                return
        url = sqlite_url(path.absolute())
    else:
        if path is not None and (len(path.parts) > 1 or path.suffix in (".ndjson", ".db", ".cold")):
            raise InvalidEvent(f"there is no file {path}")
        chosen = target(store)
        if chosen.server is not None:
            raise click.UsageError("verify reads a database or a file: give --store sqlite:///FILE or postgresql://…")
        url = chosen.store
    with open_source(url, place) as source:
        if path is not None and not path.is_file():
            task_id = parse_reference(str(path)).task_id
            yield Log(None, partial(verify_task, source, task_id, heads, keys, **options))
            return
        for task_id in task_ids(source.query):
            verify_one = partial(verify_task, source, task_id, heads, keys, **options)
            yield Log(what, partial(_unless_deleted, verify_one))


def _unless_deleted(verify_one: Callable[[], LogReport]) -> LogReport | None:
    try:
        return verify_one()
    except UnknownTask:
        return None


def _published(path: Path | None) -> list[SignedHead]:
    return read_heads(path.read_bytes()) if path is not None else []


def _code(report: LogReport) -> int:
    if not report.intact:
        return FAULTY
    return UNPROVED if report.linked_from is None and report.events else INTACT


def _unreadable(what: str | None, count: int, error: Exception) -> int:
    notice(f"{what}: {error}" if count > 1 else str(error))
    return UNREADABLE


def _summary(codes: Sequence[int]) -> str:
    verified, faulty, unreadable = (len(codes) - codes.count(UNREADABLE), codes.count(FAULTY), codes.count(UNREADABLE))
    result = f"{faulty} with faults" if faulty else "nothing wrong"
    return f"{plural(verified, 'log')} verified: {result}" + (f"; {unreadable} cannot be read" if unreadable else "")
