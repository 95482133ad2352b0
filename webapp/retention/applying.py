"""Applies the rules: finds the tasks that are too old, and the oldest ones where a size is exceeded."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import NamedTuple

import structlog

from signalbox.store import Store, StoreError, StoreUnavailable
from signalbox.store.contract.reading.space import EndedTask
from signalbox.store.retention import Retention
from signalbox.store.times import timestamp

PAGE_SIZE = 500
MAX_COUNTED = 10_000
"""Tasks that wait to be deleted are counted up to this number."""

log = structlog.get_logger("signalbox.retention")


class Victim(NamedTuple):
    """A task to be deleted, and the words of the rule."""

    task: EndedTask
    rule: str


class PassResult(NamedTuple):
    """The number of deleted tasks, how many wait, the error of each that failed, and the limits that cannot be met."""

    deleted: int
    waiting: int
    failed: dict[str, str]
    exceeded: list[str]


async def apply_rules(store: Store, rules: Retention, now: datetime, *, seconds: float) -> PassResult:
    """Delete the tasks that the rules name, for about `seconds`; the others are only counted.

    Raises StoreUnavailable. Any other error concerns one task.
    """
    until = time.monotonic() + seconds
    deleted = waiting = 0
    failed: dict[str, str] = {}
    exceeded: list[str] = []
    async for victim in _victims(store, rules, now, exceeded):
        if waiting or time.monotonic() >= until:
            waiting += 1
            if waiting >= MAX_COUNTED:
                break
            continue
        task_id = victim.task.task_id
        try:
            deleted += await store.space.delete_by_rule(victim.task, victim.rule)
        except StoreUnavailable:
            raise
        except (StoreError, OSError) as error:
            failed[task_id] = str(error)
            log.warning("a task could not be deleted", task_id=task_id, rule=victim.rule, error=str(error))
    return PassResult(deleted, waiting, failed, exceeded)


async def is_any_due(store: Store, rules: Retention, now: datetime) -> bool:
    """Return whether the rules name any task."""
    async for _ in _victims(store, rules, now, []):
        return True
    return False


async def _victims(store: Store, rules: Retention, now: datetime, exceeded: list[str]) -> AsyncIterator[Victim]:
    """Yield the tasks to be deleted. `exceeded` gets the limits that the deletion of all of them does not meet."""
    named: set[str] = set()
    async for victim in _too_old(store, rules, now):
        named.add(victim.task.task_id)
        yield victim
    async for victim in _too_large(store, rules, now, named, exceeded):
        yield victim


async def _too_old(store: Store, rules: Retention, now: datetime) -> AsyncIterator[Victim]:
    shortest = rules.shortest_delete_after
    if shortest is None:
        return
    async for task in _ended(store, now - timedelta(days=shortest)):
        age = rules.delete_after(task.project_id, task.kind)
        if age is not None and task.ended_at < _text(now - timedelta(days=age.days)):
            yield Victim(task, age.words)


async def _too_large(
    store: Store, rules: Retention, now: datetime, named: set[str], exceeded: list[str]
) -> AsyncIterator[Victim]:
    if not rules.limits:
        return
    async with store.read() as view:
        kinds = await view.space_by_kind()
    over = {}
    for limit in rules.limits:
        total = sum(one.bytes + one.artifacts for one in kinds if limit.matches(one.project_id, one.kind))
        if total > limit.max_bytes:
            over[limit] = total - limit.max_bytes
    if not over:
        return
    async for task in _ended(store, now):
        concerned = [limit for limit in over if over[limit] > 0 and limit.matches(task.project_id, task.kind)]
        if task.cold or not (concerned or task.task_id in named):
            continue
        for limit in over:
            if limit.matches(task.project_id, task.kind):
                over[limit] -= task.bytes
        if task.task_id not in named:
            yield Victim(task, f"the size limit of {concerned[0].words}")
        if all(excess <= 0 for excess in over.values()):
            break
    exceeded += [limit.words for limit, excess in over.items() if excess > 0]


async def _ended(store: Store, before: datetime) -> AsyncIterator[EndedTask]:
    after = ("", "")
    while True:
        async with store.glance() as view:
            page = await view.ended_tasks(_text(before), after, PAGE_SIZE)
        for task in page:
            yield task
        if len(page) < PAGE_SIZE:
            return
        after = (page[-1].ended_at, page[-1].task_id)


def _text(at: datetime) -> str:
    return timestamp(max(0.0, at.timestamp()))
