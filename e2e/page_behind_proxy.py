"""A live page behind a proxy whose connections the tests break."""

from __future__ import annotations

import re

from playwright.sync_api import Page

from e2e.live_checks import expect_live_at
from e2e.random_run import run
from tests.support.proxy import Proxy
from tests.support.server import Server

STREAM = r"^/tasks/[^/]+/stream"
STALE = re.compile(r"Stale since \d\d:\d\d:\d\d")


def open_task(page: Page, proxy: Proxy, server: Server, task: str) -> list[str]:
    """Open a page through the proxy, and wait until it is live on a run that has started."""
    server.emit(task, *list(run(5, 60))[:40])
    page.goto(f"{proxy.url}/tasks/{task}")
    expect_live_at(page, 40)
    return [f"line {number}" for number in range(41, 241)]
