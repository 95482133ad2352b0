"""A whole move: copy, follow, compare, switch."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from typing import NamedTuple

from signalbox.store.errors import StoreDamaged, StoreMoved
from signalbox.store.moving.comparing import Comparison
from signalbox.store.moving.copying import BATCH_EVENTS, Copier
from signalbox.store.moving.damage import unreadable_parts
from signalbox.store.moving.errors import DamagedSource, MoveRefused, SwitchTooSlow
from signalbox.store.moving.matching import match
from signalbox.store.moving.opening import open_side
from signalbox.store.moving.side import DatabaseSide
from signalbox.store.moving.switching import SWITCH_TIMEOUT, finish, switch
from signalbox.store.moving.tables import EVENTS, TASKS
from signalbox.store.moving.target import check_source, prepare
from signalbox.store.sql.moved import MOVED_FROM, MOVED_TO, MOVING_FROM, Moved, Moving, mark_in

SWITCH_ATTEMPTS = 5

NEAR_SECONDS = 1.0
"""The copy is near enough to the source for the switch if the last round of following it took less than this."""


class MoveProgress(NamedTuple):
    """The state of a move: what it does now, the events that it has copied, and those that it is behind the source.

    `phase` is `copy`, `compare`, `follow` or `switch`.
    """

    phase: str
    copied: int
    behind: int


class MoveResult(NamedTuple):
    """A finished move: what the target has, and the seconds for which writers waited.

    `waited` is None if an earlier run had already switched.
    """

    tasks: int
    events: int
    waited: float | None


def move_store(
    source_url: str,
    target_url: str,
    *,
    report: Callable[[MoveProgress], None] = lambda progress: None,
    pause_point: Callable[[], None] = lambda: None,
    start_over: bool = False,
) -> MoveResult:
    """Move a store, while programs write to it, and return what was moved.

    `report` is called often. `pause_point` is called at least every few seconds and may raise to stop the move, which
    then can be continued. With `start_over`, what an unfinished move has copied is discarded.

    Raises MoveRefused, StoresDiffer, DamagedSource, StoreMoved and StoreUnavailable. Then nothing has switched.
    """
    with closing(open_side(source_url, target=False)) as source:
        if source.is_at(target_url):
            raise MoveRefused("FROM and TO are the same store")
        left = mark_in(source.facts(), MOVED_TO, Moved)
        with closing(_open_target(target_url, left)) as target:
            if left is not None:
                return _completed(source, target, left)
            check_source(source)
            moving = prepare(source, target, start_over=start_over)
            try:
                return _Move(Copier(source, target, moving, pause_point), report).run()
            except StoreDamaged as error:
                raise DamagedSource(unreadable_parts(source, pause_point) or [str(error)]) from error


def _open_target(url: str, left: Moved | None) -> DatabaseSide:
    try:
        return open_side(url, target=True)
    except MoveRefused:
        if left is None:
            raise
        # The target of a finished move is in use.
        raise StoreMoved(left.url) from None


def _completed(source: DatabaseSide, target: DatabaseSide, left: Moved) -> MoveResult:
    """Complete a move that was killed right after the switch. Raises StoreMoved if it did not lead to this target."""
    facts = target.facts()
    coming, came = mark_in(facts, MOVING_FROM, Moving), mark_in(facts, MOVED_FROM, Moved)
    if coming is not None and coming.move == left.move:
        finish(source, target, coming)
    elif came is None or came.move != left.move:
        raise StoreMoved(left.url)
    return _result(target, None)


def _result(target: DatabaseSide, waited: float | None) -> MoveResult:
    with target.snapshot():
        return MoveResult(target.count(TASKS), target.count(EVENTS), waited)


class _Move:
    """A move whose target is prepared."""

    def __init__(self, copier: Copier, report: Callable[[MoveProgress], None]) -> None:
        self._copier = copier
        self._source, self._target = copier.source, copier.target
        self._report = report
        self._compared = (0, 0)

    def run(self) -> MoveResult:
        """Copy, compare and switch."""
        with self._target.snapshot():
            self._copier.find_unfinished()
        self._copy()
        self._target.tune()
        self._round(Comparison.everything, "compare")
        for _ in range(SWITCH_ATTEMPTS):
            self._follow()
            self._tell("switch", 0)
            try:
                waited = switch(self._copier, self._compared)
            except SwitchTooSlow:
                continue
            return _result(self._target, waited)
        raise SwitchTooSlow(
            f"the switch did not end within {SWITCH_TIMEOUT:.0f} s in {SWITCH_ATTEMPTS} attempts, so programs still use"
            " FROM; run the same command again when there are fewer writes"
        )

    def _copy(self) -> None:
        """Copy batches, each from a state of its own, until the rest fits into one batch."""
        behind = BATCH_EVENTS
        while behind >= BATCH_EVENTS:
            with self._source.snapshot(), self._target.writing():
                self._copier.copy_events()
                behind = self._behind()
            self._copier.forget_touched()
            self._tell("copy", behind)

    def _follow(self) -> None:
        """Copy and compare what is new, until the copy is near the source."""
        while self._round(self._compare_newer, "follow") > NEAR_SECONDS:
            pass

    def _round(self, compare: Callable[[Comparison], object], phase: str) -> float:
        """Bring the copy to one state of the source, and compare it. Return the seconds that it took."""
        started = time.monotonic()
        with self._source.snapshot():
            self._tell(phase, self._behind())
            copied = True
            while copied:
                with self._target.writing():
                    copied = bool(self._copier.copy_events())
                self._tell(phase, self._behind())
            with self._target.writing():
                match(self._copier)
            with self._target.snapshot():
                compare(Comparison(self._source, self._target, self._copier.pause_point))
                self._compared = (self._copier.position, self._target.last_ids()["task_audits"])
        self._copier.forget_touched()
        return time.monotonic() - started

    def _compare_newer(self, comparison: Comparison) -> None:
        comparison.newer(*self._compared, self._copier.touched, self._copier.rewritten)

    def _behind(self) -> int:
        return self._source.last_ids()["task_events"] - self._copier.position

    def _tell(self, phase: str, behind: int) -> None:
        self._report(MoveProgress(phase, self._copier.copied, behind))
