"""Test a coding agent's question on a phone: it arrives live, and the agent gets the answer with a changed argument."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from e2e.axe import add_axe, expect_accessible
from e2e.browser import PHONE
from e2e.live_checks import expect_equal_to_fresh
from tests.support.coding_agent import CodingAgent, Ran
from tests.support.command import signalbox
from tests.support.server import Server


@pytest.mark.long
def test_a_question_of_a_coding_agent_is_answered_on_a_phone(
    server: Server, new_context: Callable[..., BrowserContext], tmp_path: Path
) -> None:
    options = ("--yes", "--server", server.url, "--limit", "30")
    assert signalbox("hooks", "install", *options, HOME=str(tmp_path)).returncode == 0
    agent = CodingAgent(tmp_path / ".claude" / "settings.json", "phone", HOME=str(tmp_path))
    context = new_context(**PHONE)
    add_axe(context)
    page = context.new_page()
    page.goto(f"{server.url}/permissions")
    expect(page.get_by_text("Nothing needs approval.")).to_be_visible()
    for name in ("session_start", "user_prompt_submit"):
        agent.call(name)
    found: list[Ran] = []
    asking = threading.Thread(target=lambda: found.extend(agent.call("permission_request")), daemon=True)
    asking.start()
    card = page.locator(".permission")
    expect(card).to_contain_text("Bash")
    expect(page.locator(".inbox-task")).to_contain_text("Fix the flaky test in tests/test_queue.py")
    expect_accessible(page)
    card.get_by_label("command").fill("git push origin fix")
    card.get_by_label("Reason").fill("not to main")
    card.get_by_role("button", name="Approve").click()
    expect(card).to_have_count(0)
    asking.join(60)
    decision = found[0].answer["hookSpecificOutput"]["decision"]
    assert decision["updatedInput"] == {"command": "git push origin fix", "description": "Publish the fix"}
    page.goto(f"{server.url}/tasks/claude-code-phone")
    expect(page.get_by_role("heading", level=1)).to_have_text("Fix the flaky test in tests/test_queue.py")
    agent.call("stop")
    expect(page.get_by_text("Waiting for the next prompt").first).to_be_visible()
    expect_equal_to_fresh(page, context)
