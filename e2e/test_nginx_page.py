"""Test pages behind nginx with its packaged configuration."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import BrowserContext, Page, expect

from e2e.live_checks import expect_equal_to_fresh, expect_live_at
from signalbox.store import NewEvent
from tests.support.nginx import nginx_before
from tests.support.server import Server


def test_a_page_behind_nginx_is_live_and_its_forms_work(
    server: Server, page: Page, context: BrowserContext, tmp_path: Path
) -> None:
    with nginx_before(server.port, tmp_path / "nginx") as url:
        server.emit("run", "one")
        page.goto(f"{url}/tasks/run")
        expect_live_at(page, 1)
        request = {"request_id": "r1", "tool_name": "rm", "arguments": {"path": "/x"}}
        server.emit("run", "two", NewEvent(event_type="permission_request", payload=request))
        expect_live_at(page, 3)
        page.get_by_role("button", name="Approve").click()
        expect_live_at(page, 4)
        expect(page.locator("#log-rows")).to_contain_text("approved by")
        expect_equal_to_fresh(page, context)
        page.close()
