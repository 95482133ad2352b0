"""Takes the pictures of the integrations from real runs of the examples: `python -m scripts.integration_pictures`.

Most examples run in the environments of `scripts/integrations`, which must be there: `make integrations` makes them.
To add a picture: a line in PICTURES.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from playwright.sync_api import Browser, expect, sync_playwright

from e2e.browser import launch
from scripts.png import smaller
from scripts.screenshots import DESKTOP, IMAGES, TIMEOUT_MS, open_page
from tests.support.server import Server

ROOT = Path(__file__).parent.parent
WAIT_S = 60.0


class Picture(NamedTuple):
    """A picture of the run of an example. The page is taken when a new task has this status, and this kind if given.

    `folder` is the environment, empty for that of the project. `command` has the arguments of Python, which runs in
    `examples/`. `path` is the part of the address after that of the task.
    """

    name: str
    folder: str
    command: str
    status: str
    kind: str = ""
    path: str = ""


PICTURES = (
    Picture("integration-logging", "", "logging_program.py", "done"),
    Picture("integration-pytest", "", "-m pytest -p signalbox.integrations.pytest sample_tests.py", "failed"),
    Picture("openai-agents", "agents", "integrations/openai_agents_travel.py", "done", path="/conversation"),
    Picture("langgraph", "agents", "integrations/langgraph_release.py", "waiting"),
    Picture("claude-agent", "agents", "integrations/claude_agent_fix.py", "waiting"),
    Picture("celery-items", "queues", "integrations/celery_orders.py", "done", kind="catalogue"),
    Picture("prefect", "prefect", "integrations/prefect_backup.py", "done", kind="prefect"),
)


def main() -> None:
    """Write the pictures whose names are given, by default all."""
    wanted = sys.argv[1:] or [picture.name for picture in PICTURES]
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder)).start()
        browser = launch(playwright)
        try:
            for picture in PICTURES:
                if picture.name in wanted:
                    take(browser, server, picture)
        finally:
            server.close()


def take(browser: Browser, server: Server, picture: Picture) -> None:
    """Run the example of a picture, and take the page of its task."""
    python = ROOT / ".venv-libraries" / picture.folder / "bin" / "python" if picture.folder else sys.executable
    known = {task["task_id"] for task in tasks(server)}
    command = [str(python), *picture.command.split()]
    variables = {**os.environ, "SIGNALBOX_STORE_URL": server.store_url}
    program = subprocess.Popen(command, cwd=ROOT / "examples", env=variables)
    try:
        task_id = wait_for_task(server, picture, known)
        page = open_page(browser, server, f"/tasks/{task_id}{picture.path}", color_scheme="light", **DESKTOP)
        expect(page.locator("body")).to_contain_text(picture.status, timeout=TIMEOUT_MS)
        path = IMAGES / f"{picture.name}.png"
        page.screenshot(path=path)
        page.context.close()
        path.write_bytes(smaller(path.read_bytes()))
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size // 1024} KB")
    finally:
        program.terminate()
        program.wait()


def wait_for_task(server: Server, picture: Picture, known: set[str]) -> str:
    """Wait for the new task of a picture, and return its id."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        for task in tasks(server):
            is_new = task["task_id"] not in known
            if is_new and task["status"] == picture.status and picture.kind in ("", task["kind"]):
                return task["task_id"]
        time.sleep(0.1)
    raise AssertionError(f"{picture.command} made no task that is {picture.status}")


def tasks(server: Server) -> list[dict[str, str]]:
    """Return the newest tasks."""
    found: list[dict[str, str]] = server.get("/api/tasks").json()["tasks"]
    return found


if __name__ == "__main__":
    main()
