"""Running a command for the server: `signalbox run` in a process of its own, which outlives the server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from urllib.parse import quote, unquote

from signalbox.store import NewEvent, Store, UnknownTask
from signalbox.webapp.process.signature import CommandLine

SQLITE = "sqlite:///"


def why_not(line: CommandLine) -> str | None:
    """Why a command cannot be run here now, None if it can."""
    if not os.path.isdir(line.cwd):
        return f"the directory {line.cwd} is gone"
    name = line.command[0]
    where = os.path.join(line.cwd, name) if os.sep in name else name
    if shutil.which(where, path=environment(line).get("PATH")) is None:
        return f"there is no command {name} here any more"
    return None


def start(store_url: str, task_id: str, retry_of: str | None, line: CommandLine, ended: Callable[[int], None]) -> None:
    """Run `line` as the task `task_id`, perhaps as another try of a task. `ended` gets the exit code, from a thread.

    Raises OSError.
    """
    # Safe path (-P): the directory that the command runs in must not lend us its modules.
    own = [sys.executable, "-P", "-m", "signalbox", "run", "--task", task_id]
    own += ["--retry-of", retry_of] if retry_of is not None else []
    process = subprocess.Popen(
        [*own, *line.options, "--", *line.command],
        cwd=line.cwd,
        env={**environment(line), "SIGNALBOX_STORE_URL": absolute(store_url)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    threading.Thread(target=lambda: ended(process.wait()), name=f"signalbox-run-{task_id}", daemon=True).start()


async def see_to_it(store: Store, task_id: str, code: int) -> None:
    """The process of a task is gone. One that ended before its task began has left nobody who could say so."""
    await never_began(store, task_id, f"it ended with exit code {code} before it began; see the server's log")


async def never_began(store: Store, task_id: str, message: str) -> None:
    """End a task of which nothing was heard."""
    with suppress(UnknownTask):
        async with store.glance() as view:
            task = await view.task(task_id)
        if task.status == "queued":
            payload = {"exit_code": 1, "status": "failed", "error_code": "not_started", "message": message}
            ended = NewEvent(event_type="runner_exit", actor="supervisor", key="signalbox:not-started", payload=payload)
            await store.aappend(task_id, ended, identity=task.identity, own=True)


def environment(line: CommandLine) -> dict[str, str]:
    """The server's variables without its settings, and those that the first run kept."""
    # Settings may be secrets, and the command is not the server.
    return {name: value for name, value in os.environ.items() if not name.startswith("SIGNALBOX_")} | line.environment


def absolute(store_url: str) -> str:
    """The same store, named so that it can be opened from any directory."""
    if not store_url.startswith(SQLITE):
        return store_url
    return SQLITE + quote(str(Path(unquote(store_url.removeprefix(SQLITE))).absolute()))
