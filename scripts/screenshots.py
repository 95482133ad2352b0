"""Takes the screenshots of the docs from the real app: `python -m scripts.screenshots`.

A server on a free port, with its own database, shows the demo and some small commands. No picture is edited.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, expect, sync_playwright

from bench.scenarios import console
from e2e.browser import launch
from scripts.png import smaller
from signalbox.store import NewEvent
from tests.support.agent_payloads import payload
from tests.support.server import Server

IMAGES = Path(__file__).parent.parent / "docs" / "images"
DESKTOP = {"viewport": {"width": 1440, "height": 900}}
LOW = {"viewport": {"width": 1440, "height": 480}}
PHONE = {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True, "has_touch": True}
TIMEOUT_MS = 60_000

COMMANDS = {
    "types": ("mypy", "-p", "signalbox.store"),
    "tests": (
        "pytest",
        "-v",
        "--color=yes",
        "tests/drawing/test_text.py",
        "tests/drawing/test_ansi.py",
        "tests/store/redaction/test_redaction.py",
    ),
    "typo": ("make", "--no-print-directory", "tset"),
}
"""Small commands for the task list, by task id."""

QUESTION = {"tool_name": "kubectl", "arguments": ["rollout", "restart", "web"], "reason": "a new image is there"}


def main() -> None:
    """Write `docs/images/*.png`."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as folder, sync_playwright() as playwright:
        server = Server(Path(folder)).start()
        try:
            take_all(launch(playwright), server)
        finally:
            server.close()
    for picture in sorted(IMAGES.glob("*.png")):
        picture.write_bytes(smaller(picture.read_bytes()))
        print(f"{picture.relative_to(Path.cwd())}: {picture.stat().st_size // 1024} KB")


def take_all(browser: Browser, server: Server) -> None:
    """Run the commands and the demo, and take the pictures while the demo runs."""
    for task, command in COMMANDS.items():
        signalbox(server, "run", "--task", task, "--", *command).wait()
    question = NewEvent(event_type="permission_request", phase="executing", payload=QUESTION)
    server.store.create_task("rollout", title="Roll out web", kind="deploy")
    server.emit("rollout", NewEvent(event_type="runner_spawn", span_id="main"), question)
    console.fill(server.store)
    demos = [signalbox(server, "demo", "--task", task, "--quiet") for task in ("stdlib-audit", "stdlib-audit-2")]
    try:
        tasks = open_page(browser, server, "/tasks", color_scheme="light", **LOW)
        expect(tasks.get_by_text("stdlib audit").first).to_be_visible(timeout=TIMEOUT_MS)
        light = open_page(browser, server, "/tasks/stdlib-audit", color_scheme="light", **DESKTOP)
        dark = open_page(browser, server, "/tasks/stdlib-audit", color_scheme="dark", **DESKTOP)
        phone = open_page(browser, server, "/tasks/rollout", color_scheme="light", **PHONE)
        inbox = open_page(browser, server, "/permissions", color_scheme="light", **LOW)
        expect(light.locator(".head-failed")).to_be_visible(timeout=TIMEOUT_MS)
        pages = {"task-light": light, "task-dark": dark, "task-phone": phone, "tasks": tasks, "permissions": inbox}
        for name, page in pages.items():
            page.screenshot(path=IMAGES / f"{name}.png")
        take_views(browser, server)
        take_coding_agent(browser, server)
    finally:
        for demo in demos:
            demo.terminate()
            demo.wait()


def take_views(browser: Browser, server: Server) -> None:
    """Take the other views of the running demo, and those of a log of 100,000 events."""
    audit, long = "/tasks/stdlib-audit", f"/tasks/{console.TASK}"
    spans = server.get(f"/api{audit}/graph").json()["spans"]
    span = next(span["span_id"] for span in spans if span["state"] == "failed")
    views = {
        "waterfall": (f"{audit}/waterfall", "light"),
        "timeline": (f"{audit}/timeline", "light"),
        "evidence": (audit, "dark"),
        "search": (f"{long}/log?type=checkpoint_commit&q=7", "light"),
        "long": (long, "light"),
        "tests": ("/tasks/tests", "light"),
        "compare": ("/compare?a=stdlib-audit&b=stdlib-audit-2", "light"),
        "span": (f"{audit}/spans/{span}", "light"),
    }
    for name, (path, scheme) in views.items():
        page = open_page(browser, server, path, color_scheme=scheme, **DESKTOP)
        if name == "evidence":
            page.locator(".checkpoint-name").first.click(timeout=TIMEOUT_MS)
            expect(page.get_by_role("dialog")).to_be_visible()
        page.screenshot(path=IMAGES / f"{name}.png")
        page.context.close()
    past = browser.new_context(locale="en-GB", timezone_id="Etc/UTC", color_scheme="light", **DESKTOP).new_page()
    past.goto(f"{server.url}{audit}?at=120")
    past.screenshot(path=IMAGES / "past.png")


def take_coding_agent(browser: Browser, server: Server) -> None:
    """Take a question of a coding agent on a phone, as its hooks report it."""
    for name in ("session_start", "user_prompt_submit", "pre_tool_use", "post_tool_use"):
        post_hook(server, payload("claude-code", name, "queue"))
    Thread(target=post_hook, args=(server, payload("claude-code", "permission_request", "queue")), daemon=True).start()
    page = open_page(browser, server, "/tasks/claude-code-queue", color_scheme="light", **PHONE)
    expect(page.locator(".permission")).to_be_visible(timeout=TIMEOUT_MS)
    page.screenshot(path=IMAGES / "coding-agent-phone.png")


def post_hook(server: Server, given: dict[str, Any]) -> None:
    """Report a call of a hook, and wait for its answer."""
    with suppress(httpx.HTTPError):
        httpx.post(f"{server.url}/api/hooks/claude-code", json=given, params={"branch": "fix/queue"}, timeout=60)


def signalbox(server: Server, *arguments: str) -> subprocess.Popen[bytes]:
    """Start a `signalbox` command on the server's database."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "SIGNALBOX_STORE_URL": server.store_url, "PATH": path}
    command = [sys.executable, "-m", "signalbox", *arguments]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def open_page(browser: Browser, server: Server, path: str, **options: Any) -> Page:
    """Open a page in UTC and wait until it is live."""
    page = browser.new_context(locale="en-GB", timezone_id="Etc/UTC", **options).new_page()
    page.goto(server.url + path)
    expect(page.locator("live-status")).to_contain_text("Live ·", timeout=TIMEOUT_MS)
    return page


if __name__ == "__main__":
    main()
