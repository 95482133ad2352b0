"""Show one loaded page in several looks: light, dark, on a phone, enlarged.

Loading a page, and the first run of axe on it, take longer than everything that follows. The scripts of the pages do
not look at the colour scheme or at the width, so a page needs no new load for another look.
"""

from __future__ import annotations

from typing import NamedTuple

from playwright.sync_api import Browser, Page

from e2e.axe import THEMES, add_axe


class Screen(NamedTuple):
    """The size of the window in CSS pixels, and whether the device is a phone."""

    width: int
    height: int
    phone: bool = False


DESKTOP = Screen(1280, 800)
SCREENS = {
    "light": DESKTOP,
    "dark": DESKTOP,
    "phone": Screen(360, 740, phone=True),
    # A window of 1440 pixels at 200 %.
    "zoomed": Screen(720, 450),
}
"""The screen of each look."""


class Visitor:
    """A page that the tests of a module share.

    Tests that follow each other and check the same address share one load of it.
    """

    def __init__(self, browser: Browser) -> None:
        self._context = browser.new_context(**THEMES["light"])
        add_axe(self._context)
        self._page = self._context.new_page()
        # Playwright cannot change an existing page into that of a phone.
        self._devtools = self._context.new_cdp_session(self._page)
        self._shown = ""

    def show(self, url: str, look: str) -> Page:
        """Return the page, which shows an address in one of the looks of SCREENS. The test must not change the page."""
        self._set_look(look)
        if self._shown != url:
            self._page.goto(url)
            self._shown = url
        assert self._page.evaluate("innerWidth") == SCREENS[look].width
        return self._page

    def load(self, url: str, look: str) -> Page:
        """Return the page, which has just loaded an address. The test may change the page."""
        self._shown = ""
        page = self.show(url, look)
        self._shown = ""
        return page

    def close(self) -> None:
        """Close the page."""
        self._context.close()

    def _set_look(self, look: str) -> None:
        screen = SCREENS[look]
        metrics = {"width": screen.width, "height": screen.height, "deviceScaleFactor": 1, "mobile": screen.phone}
        self._devtools.send("Emulation.setDeviceMetricsOverride", metrics)
        self._page.emulate_media(color_scheme="dark" if look == "dark" else "light")
