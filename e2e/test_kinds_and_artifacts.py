"""Test the pages of kinds and artifacts, and the tags of a task, in a browser."""

from __future__ import annotations

from io import BytesIO

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from e2e.axe import THEMES, expect_accessible
from e2e.live_checks import expect_equal_to_fresh, expect_live_at
from e2e.visitor import Visitor
from signalbox.store import NewEvent
from tests.support.server import Server

JUNIT = b'<testsuite><testcase name="a" time="0.1"/><testcase name="b"><failure message="x"/></testcase></testsuite>'
HTML = b"<p id=text>as written</p><script>document.getElementById('text').textContent = 'changed'</script>"
PATHS = ("/kinds", "/kinds/a%20build/%C3%BC", "/tasks/b0", "/tasks/b0/artifacts/4", "/tasks/b0/artifacts/3")


@pytest.fixture(scope="module")
def site(shared_server: Server) -> Server:
    store = shared_server.store
    for number, status in enumerate(("done", "failed", "cancelled", "done")):
        store.create_task(f"b{number}", kind="a build/ü", metadata={"tags": {"branch": "main"}, "commit": "3fa9c1e"})
        end = NewEvent(event_type="runner_exit", payload={"status": status, "message": f"it {status}"})
        store.append(f"b{number}", [NewEvent(event_type="runner_spawn", span_id="main"), end])
    store.create_task("open", kind="a build/ü", metadata={"links": {"docs": "https://example.org"}})
    store.append("open", NewEvent(event_type="runner_spawn", span_id="main"))
    for name, content in (("report.html", HTML), ("tests.xml", JUNIT), ("log.txt", b"\x1b[31mred")):
        store.add_artifact("b0", BytesIO(content), name)
    return shared_server


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("path", PATHS)
def test_kinds_tags_and_artifacts_are_accessible(site: Server, visitor: Visitor, path: str, theme: str) -> None:
    page = visitor.show(site.url + path, theme)
    page.locator("details.label-more").evaluate_all("all => all.forEach((one) => { one.open = true })")
    expect_accessible(page)


def test_the_page_of_a_kind_is_live_and_equals_a_fresh_one(site: Server, page: Page, context: BrowserContext) -> None:
    page.goto(f"{site.url}/kinds/a%20build/%C3%BC")
    runs = page.locator(".kind-runs tbody tr")
    expect(runs.first).to_contain_text("running")
    expect(page.locator(".run-bar--failed")).to_have_count(1)
    site.emit("open", NewEvent(event_type="runner_exit", payload={"exit_code": 1, "message": "no space left"}))
    expect(page.locator(".run-bar--failed")).to_have_count(2)
    expect(page.locator(".kind-errors")).to_contain_text("no space left")
    expect_equal_to_fresh(page, context)
    page.locator(".run-chart a").last.click()
    expect(page).to_have_url(f"{site.url}/tasks/open")


@pytest.mark.long
def test_a_person_tags_a_run_and_sees_its_files(
    site: Server, page: Page, context: BrowserContext, expect_console: list[str]
) -> None:
    expect_console.append("Blocked script execution")
    site.store.create_task("tagged", kind="tagged")
    site.emit("tagged", NewEvent(event_type="runner_spawn", span_id="main"))
    page.goto(f"{site.url}/tasks/tagged")
    expect(page.locator("#artifacts")).to_be_hidden()
    page.get_by_text("Add a tag").click()
    page.get_by_label("Tag", exact=True).fill("triaged = by me")
    page.get_by_role("button", name="Add", exact=True).click()
    tag = page.locator("#task-header .tag")
    expect(tag).to_have_text("triaged=by me")
    site.store.add_artifact("tagged", BytesIO(HTML), "report.html")
    link = page.locator("#artifacts").get_by_role("link", name="report.html")
    expect(link).to_be_visible()
    expect_live_at(page, 3)
    expect_equal_to_fresh(page, context)
    tag.click()
    expect(page.locator("[data-rows] tr")).to_have_count(1)
    page.go_back()
    link.click()
    expect(page.frame_locator("iframe").locator("#text")).to_have_text("as written")
