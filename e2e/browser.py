"""Find and start the Chromium that the browser tests drive."""

import os
import shutil
import subprocess
from pathlib import Path

from playwright.sync_api import Browser, BrowserType, Playwright, sync_playwright

HEADLESS_SHELLS = ("chromium-headless-shell", "chrome-headless-shell")
"""Chromium without its own windows and tabs. A test costs less than half of the CPU time."""

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_APPS = ("Chromium.app/Contents/MacOS/Chromium", "Google Chrome.app/Contents/MacOS/Google Chrome")

# Each new page would start three more processes: two for suggestions of the address bar, one spare.
DISABLED = ["WebUIOmniboxPopup", "WebUIOmniboxAimPopup", "SpareRendererForSitePerProcess"]
# Playwright disables these. Repeat them, because Chromium obeys only the last `--disable-features`.
DISABLED += ["AvoidUnnecessaryBeforeUnloadCheckSync", "DestroyProfileOnBrowserClose", "HttpsUpgrades"]
DISABLED += ["HttpsFirstBalancedModeAutoEnable", "LensOverlay", "MediaRouter", "PaintHolding"]
DISABLED += ["ThirdPartyStoragePartitioning", "AvoidCorsURLLoaderRestartOnRedirect", "OptimizationHints"]
DISABLED += ["NetworkTimeServiceQuerying", "AimEnabled", "PreconnectToSearch"]

# Turn off everything that is not the page under test: updates, sync, a second transport.
ARGS = (
    f"--disable-features={','.join(DISABLED)}",
    "--disable-gpu",
    "--disable-quic",
    # All pages of a profile share one process, which keeps compiled scripts.
    "--renderer-process-limit=1",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

PHONE = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
"""Options of a browser context for a phone."""


class NoBrowser(RuntimeError):
    """Raised when no Chromium starts. The message says how to fix it."""


def can_start(path: str) -> bool:
    """Return whether the program at `path` runs. A snap stub, or a browser with a missing shared library, does not."""
    try:
        process = subprocess.run([path, "--version"], capture_output=True, stdin=subprocess.DEVNULL, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return process.returncode == 0


def find(chromium: BrowserType, *, windows: bool = False) -> str:
    """Return the path of a Chromium that starts: SIGNALBOX_CHROMIUM, else the system's, else Playwright's own.

    The system's headless shell is preferred, unless the browser must have `windows` with tabs.
    Raise NoBrowser if there is none, or if SIGNALBOX_CHROMIUM names a program that does not start.
    """
    if chosen := os.environ.get("SIGNALBOX_CHROMIUM"):
        if can_start(chosen):
            return chosen
        raise NoBrowser(f"SIGNALBOX_CHROMIUM is {chosen!r}, which does not start as a browser.")
    names = NAMES if windows else HEADLESS_SHELLS + NAMES
    on_path = filter(None, map(shutil.which, names))
    mac_apps = (str(Path("/Applications", app)) for app in MAC_APPS)
    for path in (*on_path, *mac_apps, chromium.executable_path):
        if can_start(path):
            return path
    raise NoBrowser(
        "No Chromium for the browser tests. `make browser` installs one; by hand:\n"
        "  Debian: apt install chromium     Fedora: dnf install chromium     macOS: brew install --cask chromium\n"
        "or set SIGNALBOX_CHROMIUM to the path of a Chromium or Chrome."
    )


def launch(playwright: Playwright) -> Browser:
    """Start a headless Chromium without its sandbox, as Playwright does by default.
    Root and most containers cannot use a sandbox, and the tests load only pages of this project."""
    return playwright.chromium.launch(executable_path=find(playwright.chromium), args=ARGS)


def find_installed() -> str:
    """Call `find` without a running Playwright."""
    with sync_playwright() as playwright:
        return find(playwright.chromium)
