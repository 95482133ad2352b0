"""Finds or installs a Chromium for the browser tests: an installed one, else Playwright's, else the system package."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator

from e2e.browser import NoBrowser, find_installed

PLAYWRIGHT = (sys.executable, "-m", "playwright")
DOWNLOAD_SECONDS = 300
PACKAGES_SECONDS = 900


def as_root() -> tuple[str, ...] | None:
    """Return the prefix that runs a command as root without a password, or None if that is not possible."""
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") and subprocess.run(["sudo", "-n", "true"], capture_output=True).returncode == 0:
        return ("sudo", "-n")
    return None


def attempts() -> Iterator[tuple[tuple[str, ...], int]]:
    """Yield commands that may install a browser, each with its time limit in seconds."""
    yield (*PLAYWRIGHT, "install", "chromium"), DOWNLOAD_SECONDS
    root = as_root()
    if root is not None and shutil.which("apt-get"):
        apt = (*root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qy")
        yield (*apt, "update"), PACKAGES_SECONDS
        packages = ("chromium", "chromium-headless-shell", "fonts-dejavu-core")
        yield (*apt, "install", "--no-install-recommends", *packages), PACKAGES_SECONDS
        # On Ubuntu the system's Chromium is a snap, but Playwright's own may only lack its libraries.
        yield (*root, *PLAYWRIGHT, "install-deps", "chromium"), PACKAGES_SECONDS


def run(command: tuple[str, ...], seconds: int) -> None:
    """Run a command. After its time limit, kill it and its child processes."""
    print("$", *command, flush=True)
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, start_new_session=True)
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        print(f"Gave up after {seconds} s.", file=sys.stderr)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def main() -> int:
    commands = attempts()
    while True:
        try:
            path = find_installed()
        except NoBrowser as missing:
            if "SIGNALBOX_CHROMIUM" in os.environ or not (command := next(commands, None)):
                print(missing, file=sys.stderr)
                return 1
            run(*command)
        else:
            print("Browser:", path)
            return 0


if __name__ == "__main__":
    sys.exit(main())
