"""Assertions about live pages: the DOM of a live page must equal that of a freshly loaded one."""

from __future__ import annotations

import re

from playwright.sync_api import BrowserContext, Page, expect

from tests.support.addresses import without_identity

MAIN = """(page) => {
  const main = (page ?? document).querySelector('main').cloneNode(true);
  for (const node of main.querySelectorAll('[data-volatile]')) node.remove();
  const walker = document.createTreeWalker(main, NodeFilter.SHOW_ELEMENT);
  while (walker.nextNode()) walker.currentNode.removeAttribute('data-htmx-powered');
  main.normalize();
  return main.innerHTML.replace(/>\\s+</g, '>\\n<').trim();
}"""
"""Returns the content of a page, without parts that depend on the clock or on the viewer."""

LOADED = f"""async () => {{
  const response = await fetch(location.href, {{cache: 'no-store'}});
  return ({MAIN})(new DOMParser().parseFromString(await response.text(), 'text/html'));
}}"""
"""Returns the same content of the server's current response, without loading it as a page."""

FIGURES = """() => Object.fromEntries([...document.querySelectorAll('live-status .connection-status__figure')]
  .map((row) => [row.querySelector('dt').textContent, Number(row.querySelector('dd').textContent)]))"""


def content(page: Page) -> str:
    """Return the page's `<main>` without its volatile elements."""
    return str(page.evaluate(MAIN))


def statistics(page: Page) -> dict[str, int]:
    """Return the connection statistics that the page shows, by name."""
    return dict(page.evaluate(FIGURES))


def expect_live_at(page: Page, seq: int, *, timeout: float = 30) -> None:
    """Wait up to `timeout` seconds until the page says that it is live at `seq`."""
    expect(page.locator("live-status")).to_contain_text(re.compile(rf"Live · #{seq}\b"), timeout=timeout * 1000)


def expect_equal_to_fresh(page: Page, context: BrowserContext) -> None:
    """Check that the live page shows exactly the content of a freshly loaded page."""
    fresh = context.new_page()
    try:
        fresh.goto(page.url)
        expect_same_content(page, fresh)
    finally:
        fresh.close()


def expect_same_content(page: Page, fresh: Page) -> None:
    """Check that both pages show the same content, line by line."""
    _expect_same(content(page), content(fresh))


def expect_same_as_past(page: Page, past: Page) -> None:
    """Check that both pages show the same content, except that the links of `past` have `at=…` and `identity=…`."""
    shown = (re.sub(r"(\?|&amp;)at=\d+", "", without_identity(content(one))) for one in (page, past))
    _expect_same(*shown)


def expect_equal_to_response(page: Page) -> None:
    """Compare the live page with the server's current response. This is faster than a fresh page; no scripts run."""
    _expect_same(content(page), str(page.evaluate(LOADED)))


def _expect_same(live: str, fresh: str) -> None:
    live_lines, fresh_lines = live.split("\n"), fresh.split("\n")
    different = [pair for pair in zip(live_lines, fresh_lines, strict=False) if pair[0] != pair[1]]
    assert live_lines == fresh_lines, f"live and fresh differ: {different[:3]}"


def task_names(page: Page) -> list[str]:
    """Return the names of the tasks in a list, in its order."""
    return page.locator("tbody th a").all_inner_texts()


def expect_rows(page: Page, first: int, last: int) -> None:
    """Check that the log on the page has each seq from `first` to `last` once, in order."""
    ids = page.locator("#log-rows > li").evaluate_all("rows => rows.map(row => row.id)")
    assert ids == [f"e{seq}" for seq in range(first, last + 1)]
