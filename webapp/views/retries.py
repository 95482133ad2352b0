"""The attempts of a run: the command that its page offers to run again, and links between the attempts."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import NamedTuple

from signalbox.store.contract import TaskPageReading
from signalbox.store.events import is_task_id
from signalbox.store.state import Task
from signalbox.store.tags import readable_links, readable_tags
from signalbox.webapp.process.signature import CommandLine, command_of, signed

SHOWN = 5
"""The newest retries that a task's page names."""

MAX_ATTEMPTS = 10_000


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A command that can be run again: by the server if it is `trusted`, else only by a person in a shell."""

    line: CommandLine
    trusted: bool
    words: str
    shell: str


class Retry(NamedTuple):
    """Another try of a run, with its number."""

    task_id: str
    attempt: int


async def offer_of(view: TaskPageReading, task: Task, key: bytes | None) -> Offer | None:
    """Return the command of an ended run that can be run again. Without the store's key no command is trusted."""
    if not task.ended or not task.spawn_seq:
        return None
    spawn = await view.events_at(task.task_id, [task.spawn_seq])
    line = command_of(spawn[0]) if spawn else None
    if line is None:
        return None
    again = shlex.join(["signalbox", "run", *line.options, "--retry-of", task.task_id, "--", *line.command])
    return Offer(
        line=line,
        trusted=key is not None and signed(line, key, task),
        words=shlex.join(line.command),
        shell=f"cd {shlex.quote(line.cwd)} && {again}",
    )


def origin_of(task: Task) -> Retry | None:
    """Return the task of which `task` is a retry, with the number of the retry."""
    first, attempt = task.metadata.get("retry_of"), task.metadata.get("attempt")
    if not is_task_id(first) or type(attempt) is not int or not 1 < attempt <= MAX_ATTEMPTS:
        return None
    return Retry(first, attempt)


def attempt_of(task: Task) -> int:
    """Return the number of a task's attempt; the first is 1."""
    origin = origin_of(task)
    return origin.attempt if origin else 1


def retries_of(task: Task) -> list[Retry]:
    """Return the later tries, the newest last."""
    tries = [Retry(again, attempt_of(task) + number) for number, again in enumerate(task.retries, 1)]
    return tries[-SHOWN:]


def next_attempt_metadata(task: Task, command: list[str]) -> dict[str, object]:
    """Return the metadata of a retry of `task`, with its budget and its first tags and links."""
    attempt = min(attempt_of(task) + len(task.retries) + 1, MAX_ATTEMPTS)
    metadata: dict[str, object] = {"command": command, "retry_of": task.task_id, "attempt": attempt}
    if "budget" in task.metadata:
        metadata["budget"] = task.metadata["budget"]
    tags, links = readable_tags(task.metadata.get("tags")), readable_links(task.metadata.get("links"))
    return metadata | ({"tags": tags} if tags else {}) | ({"links": links} if links else {})
