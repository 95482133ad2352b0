"""What a page in the browser shows: its status, and whether it equals a fresh load of its address."""

from __future__ import annotations

import re

from playwright.sync_api import Error, Page

from e2e.live_checks import LOADED, content

_LIVE_AT = re.compile(r"Live · #(\d+)")


def status(page: Page) -> str:
    """Return the status that the page shows, or the browser's error."""
    try:
        return page.locator("live-status").first.text_content(timeout=1000) or ""
    except Error as error:
        return error.message.splitlines()[0]


def live_at(page: Page) -> int:
    """Return the position at which the page says that it is live; -1 if it says something else."""
    match = _LIVE_AT.search(status(page))
    return int(match[1]) if match else -1


def fresh(page: Page) -> bool:
    """Return whether the page equals the current response to its address."""
    try:
        return content(page) == page.evaluate(LOADED)
    except Error:
        return False


def difference(page: Page) -> str:
    """Describe the first difference between the page and the current response to its address."""
    try:
        shown, loaded = content(page).split("\n"), str(page.evaluate(LOADED)).split("\n")
    except Error as error:
        return error.message.splitlines()[0]
    different = [pair for pair in zip(shown, loaded, strict=False) if pair[0] != pair[1]]
    return f"{len(shown)} lines shown, {len(loaded)} fresh, first different {different[:1]}"
