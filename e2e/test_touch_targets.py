"""On a phone every control is large enough for a finger."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext

from e2e.random_run import run
from tests.support.server import Server

SMALL = """() => [...document.querySelectorAll('button, select, summary, textarea, .nav a, .pager a, .views a')].filter(
  (node) => {
    const {width, height} = node.getBoundingClientRect();
    return width > 1 && height > 1 && height < 43.5;
  }).map((node) => node.outerHTML.slice(0, 120))"""

PATHS = (
    *("/tasks", "/tasks/touched", "/tasks/touched/log", "/tasks/touched/timeline", "/tasks/touched/waterfall"),
    *(
        "/tasks/touched/spans",
        "/tasks/touched?at=9",
        "/permissions",
        "/kinds",
        "/search?q=the&type=log",
        "/audits",
        "/help",
        "/admin/accounts",
    ),
    *("/admin/projects/default", "/admin/tokens", "/demo?task=touched"),
)


@pytest.mark.long
def test_every_control_of_a_phone_is_large_enough(server: Server, new_context: Callable[..., BrowserContext]) -> None:
    server.emit("touched", *run(4, 40))
    page = new_context(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True).new_page()
    small = {}
    for path in PATHS:
        page.goto(f"{server.url}{path}")
        small[path] = page.evaluate(SMALL)
    assert {path: found for path, found in small.items() if found} == {}
