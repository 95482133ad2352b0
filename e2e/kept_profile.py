"""A browser profile that the tests use one after the other.

A new profile loads and compiles all scripts again, in a new process: that is a third of the CPU time of a short test.
"""

from __future__ import annotations

from playwright.sync_api import Browser, BrowserContext

OPTIONS = {"reduced_motion": "reduce"}
"""Options of a browser context. Pages show no animation, because drawing it costs a tenth of a core per page."""


class KeptProfile:
    """A profile that is like new for each test, except that it knows the static files already."""

    def __init__(self, browser: Browser) -> None:
        self._context = browser.new_context(**OPTIONS)  # type: ignore[arg-type]
        # Chromium ends the process of a profile without pages.
        self._blank = self._context.new_page()
        self._devtools = self._context.new_cdp_session(self._blank)

    @property
    def context(self) -> BrowserContext:
        """Return the profile, in which only a blank page is open."""
        return self._context

    def clean(self) -> None:
        """Close all pages, and forget what they and the test left behind."""
        for page in self._context.pages:
            if page is not self._blank:
                page.close()
        self._context.unroute_all(behavior="ignoreErrors")
        self._devtools.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})

    def close(self) -> None:
        """Close the profile and its process."""
        self._context.close()
