"""The switch: the only part of a move during which writers wait, and the marks that make it final.

1. The source's writers wait. The rest is copied and compared.
2. The target commits. Programs cannot open it yet, because it still has the mark `moving_from`.
3. The source commits its mark `moved_to`, and from then on refuses writes. This is the moment of the switch.
4. The target replaces `moving_from` by `moved_from`, so that programs can open it.

A program that is killed before step 3 has changed nothing for others, and after it, the next run does step 4.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from signalbox.store.errors import StoreError
from signalbox.store.moving.comparing import Comparison
from signalbox.store.moving.copying import Copier
from signalbox.store.moving.errors import SwitchIncomplete, SwitchTooSlow
from signalbox.store.moving.matching import match
from signalbox.store.moving.side import DatabaseSide
from signalbox.store.moving.target import now
from signalbox.store.sql.moved import MOVED_FROM, MOVED_TO, MOVING_FROM, Moved, Moving, to_fact
from signalbox.store.urls import without_password

SWITCH_TIMEOUT = 5.0
"""Seconds for which writers wait at most. Then the switch is undone."""

COMMIT_RESERVE = 0.5
"""The part of them that is kept for the commits."""


def switch(copier: Copier, since: tuple[int, int]) -> float:
    """Copy and compare the rest while the source's writers wait, then switch. Return the seconds that they waited.

    `since` are the ids of the event and the audit up to which both sides are already compared. Raises SwitchTooSlow
    and StoresDiffer; the source is then as before.
    """
    source, target = copier.source, copier.target
    moving, unfinished = copier.moving, set(copier.unfinished)
    try:
        waited = _switch(copier, since)
    except BaseException:
        # The transaction of the target was undone, and with it the position.
        copier.moving, copier.unfinished = moving, unfinished
        raise
    finish(source, target, copier.moving)
    return waited


def _switch(copier: Copier, since: tuple[int, int]) -> float:
    source, target = copier.source, copier.target
    with source.locked(SWITCH_TIMEOUT):
        started = time.monotonic()
        with _time_limit(copier, SWITCH_TIMEOUT - COMMIT_RESERVE) as check, target.writing(durable=True):
            while copier.copy_events():
                pass
            match(copier)
            Comparison(source, target, check).newer(*since, copier.touched, copier.rewritten)
        url = target.url if source.keeps_secrets else without_password(target.url)
        source.set_facts({MOVED_TO: to_fact(Moved(copier.moving.move, url, now()))})
        source.freeze()
    return time.monotonic() - started


def finish(source: DatabaseSide, target: DatabaseSide, moving: Moving) -> None:
    """Let programs open the target. Raises SwitchIncomplete if that fails."""
    came_from = Moved(moving.move, without_password(source.url), now())
    try:
        with target.writing(durable=True):
            target.set_facts({MOVING_FROM: None, MOVED_FROM: to_fact(came_from)})
    except StoreError as error:
        raise SwitchIncomplete(error) from error


@contextmanager
def _time_limit(copier: Copier, seconds: float) -> Iterator[Callable[[], None]]:
    """Raise SwitchTooSlow in the block after `seconds`, also out of a statement. Yields the check to call in loops."""
    expired = threading.Event()

    def expire() -> None:
        expired.set()
        copier.source.cancel()
        copier.target.cancel()

    pause_point = copier.pause_point

    def check() -> None:
        if expired.is_set():
            raise SwitchTooSlow("the switch took too long")
        pause_point()

    timer = threading.Timer(seconds, expire)
    copier.pause_point = check
    timer.start()
    try:
        yield check
        check()
    finally:
        timer.cancel()
        timer.join()
        copier.pause_point = pause_point
