"""Addresses within a task's pages. Each names the identity of the task, so it never shows a later task with its id."""

from __future__ import annotations

from typing import NamedTuple

from signalbox.store.state import Task


class TaskPosition(NamedTuple):
    """An event of one task, for a page as of this event."""

    seq: int
    identity: str


def newest_position(task: Task) -> TaskPosition:
    """Return the newest event of a task."""
    return TaskPosition(task.latest_seq, task.identity)


def of_task(address: str, task: Task) -> str:
    """Return the address with the identity of the task."""
    return _with(address, f"identity={task.identity}")


def as_of(address: str, position: TaskPosition | None) -> str:
    """Return the address of a page as of an event. Without a position, return the address unchanged."""
    return address if position is None else _with(address, f"at={position.seq}&identity={position.identity}")


def log_path_around(path: str, seq: int, task: Task, more: str = "") -> str:
    """Return the address of an event in the log, among its neighbours. `path` is that of the task."""
    return of_task(f"{path}/log?around={seq}{more}#e{seq}", task)


def _with(address: str, parameters: str) -> str:
    page, mark, place = address.partition("#")
    return f"{page}{'&' if '?' in page else '?'}{parameters}{mark}{place}"
