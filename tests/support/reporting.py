"""Runs programs that report through integrations, and reads the tasks that they leave."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Mapping
from pathlib import Path

from signalbox.store import Event, TaskQuery, open_store
from signalbox.store.state import Task

OWN = ("SIGNALBOX_STORE_URL", "SIGNALBOX_SERVER", "SIGNALBOX_TOKEN", "SIGNALBOX_TASK", "SIGNALBOX_TASK_IDENTITY")


def run_program(code: str, *, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python code in a process of its own, with these variables in its environment."""
    return run_python("-c", textwrap.dedent(code), cwd=cwd, **variables)


def run_python(*words: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments, and with these variables in its environment."""
    return subprocess.run(
        [sys.executable, *words], cwd=cwd, env=environment(variables), capture_output=True, text=True, timeout=60
    )


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """Return the environment without the variables of Signalbox, with `variables`."""
    return {name: value for name, value in os.environ.items() if name not in OWN} | dict(variables)


async def tasks_in(url: str) -> list[Task]:
    """Return the tasks of a store, the newest first."""
    store = open_store(url)
    try:
        async with store.read() as view:
            return list((await view.tasks(TaskQuery(limit=100))).tasks)
    finally:
        await store.aclose()


async def events_in(url: str, task_id: str) -> list[Event]:
    """Return the first 1000 events of a task."""
    store = open_store(url)
    try:
        async with store.read() as view:
            return list(await view.events(task_id, 0, 1000))
    finally:
        await store.aclose()
