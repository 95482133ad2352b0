"""A browser profile that the tests use one after the other.

A new profile loads and compiles all scripts again, in a new process: that is a third of the CPU time of a short test.
"""

from __future__ import annotations

from contextlib import suppress
from typing import NoReturn

from playwright.sync_api import Browser, BrowserContext, Error

OPTIONS = {"reduced_motion": "reduce"}
"""Options of a browser context. Pages show no animation, because drawing it costs a tenth of a core per page."""

LASTING = (
    *("add_init_script", "expose_binding", "expose_function", "grant_permissions", "route_web_socket"),
    *("set_extra_http_headers", "set_geolocation", "set_offline"),
)
"""Methods of a context whose effect `clean` cannot undo."""

LASTING_OF_CLOCK = ("fast_forward", "install", "pause_at", "run_for", "set_fixed_time", "set_system_time")
"""The same of its clock, which is that of all its pages."""


class KeptProfile:
    """A profile that is like new for each test, except that it knows the static files already.

    A method whose effect would last until the next test raises an error.
    """

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._open()

    def _open(self) -> None:
        self._context = self._browser.new_context(**OPTIONS)  # type: ignore[arg-type]
        for changed, names in ((self._context, LASTING), (self._context.clock, LASTING_OF_CLOCK)):
            for name in names:
                setattr(changed, name, _refuse)
        # Chromium ends the process of a profile without pages.
        self._blank = self._context.new_page()
        self._devtools = self._context.new_cdp_session(self._blank)

    @property
    def context(self) -> BrowserContext:
        """Return the profile, in which only a blank page is open."""
        return self._context

    def clean(self) -> None:
        """Close all pages, and forget what they and the test left behind."""
        try:
            for page in self._context.pages:
                if page is not self._blank:
                    page.close()
            self._context.unroute_all(behavior="ignoreErrors")
            self._devtools.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "all"})
        except Error:
            self.replace()
            raise

    def replace(self) -> None:
        """Use a new profile, because a failed test may have left anything in this one, such as a busy process."""
        self.close()
        self._open()

    def close(self) -> None:
        """Close the profile and its process."""
        with suppress(Error):
            self._context.close()


def _refuse(*_: object, **__: object) -> NoReturn:
    raise AssertionError("This changes the browser profile for all later tests. Mark the test `own_profile`.")
