"""Runs a command for the server: `signalbox run` in its own process, which outlives the server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress

from signalbox.store import NewEvent, Store, UnknownTask
from signalbox.store.identity import reference_to
from signalbox.store.kinds import sqlite_path, sqlite_url
from signalbox.store.state import Task
from signalbox.webapp.process.signature import CommandLine

STORE_VARIABLE, BUS_VARIABLE = "SIGNALBOX_STORE_URL", "SIGNALBOX_BUS_URL"


def reason_not_to_start(line: CommandLine) -> str | None:
    """Return the reason why a command cannot run here now; None if it can."""
    if not os.path.isdir(line.cwd):
        return f"the directory {line.cwd} is gone"
    name = line.command[0]
    where = os.path.join(line.cwd, name) if os.sep in name else name
    if shutil.which(where, path=environment(line).get("PATH")) is None:
        return f"there is no command {name} here any more"
    return None


def start(store: Store, task: Task, retry_of: Task | None, line: CommandLine, ended: Callable[[int], None]) -> None:
    """Run `line` as `task`, perhaps as a retry of the task `retry_of`. `ended` gets the exit code, from a thread.

    Raises OSError.
    """
    # With -P, Python does not import modules from the directory of the command.
    own = [sys.executable, "-P", "-m", "signalbox", "run", "--task", task.task_id, "--identity", task.identity]
    own += ["--retry-of", reference_to(retry_of)] if retry_of is not None else []
    process = subprocess.Popen(
        [*own, *line.options, "--", *line.command],
        cwd=line.cwd,
        env=environment(line) | variables(store.url, store.bus_url),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    threading.Thread(target=lambda: ended(process.wait()), name=f"signalbox-run-{task.task_id}", daemon=True).start()


async def fail_if_not_started(store: Store, task: Task, code: int) -> None:
    """End a task whose process ended before its run began, because no other process can."""
    await mark_not_started(store, task, f"it ended with exit code {code} before it started; see the server's log")


async def mark_not_started(store: Store, task: Task, message: str) -> None:
    """End a task whose run never began. Another task that has its id now stays as it is."""
    with suppress(UnknownTask):
        async with store.glance() as view:
            status = (await view.task(task.task_id)).status
        if status == "queued":
            payload = {"exit_code": 1, "status": "failed", "error_code": "not_started", "message": message}
            ended = NewEvent(event_type="runner_exit", actor="supervisor", key="signalbox:not-started", payload=payload)
            await store.aappend(task.task_id, ended, identity=task.identity, own=True)


def environment(line: CommandLine) -> dict[str, str]:
    """Return the server's environment without its settings, with the variables that the first run kept."""
    # Settings may be secrets, and the command does not need them.
    return {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX_")} | line.environment


def variables(store_url: str, bus_url: str | None) -> dict[str, str]:
    """Return the variables that give a `signalbox` command this store, whatever its working directory."""
    return {STORE_VARIABLE: absolute(store_url)} | ({BUS_VARIABLE: bus_url} if bus_url else {})


def absolute(store_url: str) -> str:
    """Return the store's URL with an absolute path."""
    path = sqlite_path(store_url)
    return store_url if path is None else sqlite_url(path)
