"""Making everything but events equal to one state of the source: also changes that add no event."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from signalbox.store.moving.copying import Copier
from signalbox.store.moving.in_step import in_step
from signalbox.store.moving.pieces import match_pieces
from signalbox.store.moving.side import CHUNK, DatabaseSide
from signalbox.store.moving.tables import AUDITS, COUNTED, LOCAL_FACTS, STANDING, TASKS, WHOLE, Row, Table

_PLACES = TASKS.places(*STANDING)


def match(copier: Copier) -> None:
    """Copy, change and delete rows of the target until it equals the source as the present transactions see it.

    The events must already be copied.
    """
    source, target = copier.source, copier.target
    copier.copy_interrupted()
    _match_tasks(copier)
    _match_audits(copier)
    for table in reversed(WHOLE):
        copier.pause_point()
        _delete_different(source, target, table)
    for table in WHOLE:
        copier.pause_point()
        _insert_missing(source, target, table)
    match_pieces(copier)
    last_ids = source.last_ids()
    if target.last_ids() != last_ids:
        target.set_last_ids({name: last_ids[name] for name in COUNTED})
    wanted, found = (
        {name: value for name, value in side.facts().items() if name not in LOCAL_FACTS} for side in (source, target)
    )
    target.set_facts({name: wanted.get(name) for name in wanted | found if wanted.get(name) != found.get(name)})


def _match_tasks(copier: Copier) -> None:
    # A list for each step, because the target must not change while its rows are read.
    after = ""
    while found := list(islice(_different_tasks(copier, after), 10 * CHUNK)):
        copier.copy_tasks(found)
        after = found[-1]


def _different_tasks(copier: Copier, after: str) -> Iterator[str]:
    """Yield the ids of tasks that differ or that only one side has, in order."""
    for (task_id,), source, target in in_step(_standing(copier.source, after), _standing(copier.target, after)):
        if source != target:
            yield task_id


def _standing(side: DatabaseSide, after: str) -> Iterator[tuple[Row, Row]]:
    for row in side.select(TASKS, "WHERE task_id > ? ORDER BY task_id", after):
        yield row[:1], tuple(row[place] for place in _PLACES)


def _match_audits(copier: Copier) -> None:
    rows = copier.source.select(AUDITS, "WHERE audit_id > ? ORDER BY audit_id", copier.newest_audit())
    while chunk := list(islice(rows, CHUNK)):
        copier.target.insert(AUDITS, chunk)
        copier.pause_point()


def _delete_different(source: DatabaseSide, target: DatabaseSide, table: Table) -> None:
    gone = [key for key, row, stored in _in_step(source, target, table) if stored is not None and stored != row]
    for start in range(0, len(gone), CHUNK):
        target.delete(table, gone[start : start + CHUNK])


def _insert_missing(source: DatabaseSide, target: DatabaseSide, table: Table) -> None:
    # Rows that the foreign keys of the target deleted meanwhile are missing too.
    missing = [row for _, row, stored in _in_step(source, target, table) if row is not None and stored is None]
    for start in range(0, len(missing), CHUNK):
        target.insert(table, missing[start : start + CHUNK])


def _in_step(source: DatabaseSide, target: DatabaseSide, table: Table) -> Iterator[tuple[Row, Row | None, Row | None]]:
    return in_step(_keyed(source, table), _keyed(target, table))


def _keyed(side: DatabaseSide, table: Table) -> Iterator[tuple[Row, Row]]:
    places = table.places(*table.key)
    for row in side.select(table, f"ORDER BY {', '.join(table.key)}"):
        yield tuple(row[place] for place in places), row
