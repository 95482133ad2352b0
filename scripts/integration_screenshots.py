"""Pictures of programs that report through integrations, for `scripts.screenshots`.

To add one: a line in PICTURES, with the command that reports, the title of its task, and the view of the picture.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from playwright.sync_api import Browser

from tests.support.command import environment
from tests.support.paths import ROOT
from tests.support.server import Server

DESKTOP = {"viewport": {"width": 1440, "height": 900}}


class Picture(NamedTuple):
    """A program that reports, and the page of its task.

    `command` has the arguments of Python, which runs in a copy of `examples/`.
    """

    command: tuple[str, ...]
    title: str
    view: str = ""
    scheme: str = "light"


PICTURES = {
    "integration-logging": Picture(("logging_program.py",), "logging_program.py"),
    "integration-pytest": Picture(
        ("-m", "pytest", "-p", "signalbox.integrations.pytest", "sample_tests.py"), "pytest sample_tests.py"
    ),
}
"""The pictures by the name of their file."""


def take_integrations(browser: Browser, server: Server, folder: Path) -> None:
    """Run each program against the server, and take the picture of its task."""
    with TemporaryDirectory() as copy:
        shutil.copytree(ROOT / "examples", copy, dirs_exist_ok=True)
        for picture in PICTURES.values():
            run(picture, server, copy)
    for name, picture in PICTURES.items():
        tasks = server.get("/api/tasks?limit=100").json()["tasks"]
        task = next(task["task_id"] for task in tasks if task["title"] == picture.title)
        context = browser.new_context(
            locale="en-GB",
            timezone_id="Etc/UTC",
            color_scheme=picture.scheme,
            **DESKTOP,  # type: ignore[arg-type]
        )
        page = context.new_page()
        page.goto(f"{server.url}/tasks/{task}{picture.view}")
        page.locator("main").wait_for()
        page.screenshot(path=folder / f"{name}.png")
        context.close()


def run(picture: Picture, server: Server, folder: str) -> None:
    """Run a program in `folder`, with the server as its target."""
    subprocess.run(
        [sys.executable, *picture.command],
        cwd=folder,
        env=environment(SIGNALBOX_SERVER=server.url),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=120,
    )
