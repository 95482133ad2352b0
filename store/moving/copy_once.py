"""A copy of one state of a store, without a switch: for backups."""

from __future__ import annotations

from collections.abc import Callable

from signalbox.store.moving.comparing import Comparison
from signalbox.store.moving.copying import Copier
from signalbox.store.moving.matching import match
from signalbox.store.moving.side import DatabaseSide
from signalbox.store.moving.target import check_source, prepare
from signalbox.store.sql.moved import MOVING_FROM


def copy_once(source: DatabaseSide, target: DatabaseSide, pause_point: Callable[[], None] = lambda: None) -> None:
    """Copy the present state of the source into an empty target, and compare every row.

    Programs may write to the source meanwhile. Until the end, programs cannot open the target. Raises MoveRefused,
    StoresDiffer, StoreDamaged and StoreUnavailable.
    """
    check_source(source)
    copier = Copier(source, target, prepare(source, target, start_over=True), pause_point)
    with source.snapshot():
        copied = 1
        while copied:
            with target.writing():
                copied = copier.copy_events()
        with target.writing():
            match(copier)
        with target.snapshot():
            Comparison(source, target, pause_point).everything()
    target.tune()
    with target.writing(durable=True):
        target.set_facts({MOVING_FROM: None})
