"""A browser window with real tabs. Playwright keeps all its pages visible; here a background tab is hidden."""

from __future__ import annotations

import itertools
import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

from e2e.browser import ARGS

READY = re.compile(r"DevTools listening on (ws://\S+)")


@contextmanager
def open_window(executable: str, profile: Path) -> Iterator[Window]:
    """Start a separate headless Chromium with one window."""
    flags = ["--headless=new", "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={profile}", *ARGS]
    with subprocess.Popen([executable, *flags, "about:blank"], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            address = next(found.group(1) for line in process.stderr if (found := READY.search(line)))
            with connect(address, max_size=None) as socket:
                yield Window(socket)
        finally:
            process.terminate()


class PageIsLoading(Exception):
    """Raised when the page cannot answer because it is loading."""


class Window:
    """A window controlled over the DevTools protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    def open(self, url: str) -> Tab:
        """Open a new tab in front of the others."""
        target = self.send("Target.createTarget", url=url)["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, target, session)
        tab.show()
        return tab

    def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result. Raise PageIsLoading if the page is loading."""
        number = next(self._numbers)
        addressed = {"sessionId": session} if session else {}
        self._socket.send(json.dumps({"id": number, "method": method, "params": params, **addressed}))
        while True:
            message = json.loads(self._socket.recv(20))
            if message.get("id") == number:
                if "error" in message:
                    raise PageIsLoading(f"{method}: {message['error']['message']}")
                return dict(message["result"])


class Tab:
    """One tab of a window."""

    def __init__(self, window: Window, target: str, session: str) -> None:
        self._window = window
        self._target = target
        self._session = session

    def show(self) -> None:
        """Bring the tab to the front, which hides the previous one."""
        self._window.send("Target.activateTarget", targetId=self._target)

    def evaluate(self, expression: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        response = self._window.send("Runtime.evaluate", self._session, expression=expression, returnByValue=True)
        assert "exceptionDetails" not in response, response
        return response["result"].get("value")

    def wait_for(self, condition: str, *, timeout: float = 30) -> None:
        """Wait up to `timeout` seconds until an expression is true."""
        deadline = time.monotonic() + timeout
        status = "nothing"
        while True:
            with suppress(PageIsLoading):
                if self.evaluate(f"Boolean({condition})"):
                    return
                status = self.evaluate("document.querySelector('live-status')?.textContent")
            assert time.monotonic() < deadline, f"not within {timeout} s: {condition}; the page says {status!r}"
            time.sleep(0.02)

    def wait_until_live_at(self, seq: int, *, timeout: float = 30) -> None:
        """Wait until the page says that it is live at `seq`."""
        status = "(document.querySelector('live-status')?.textContent ?? '')"
        self.wait_for(f"/Live · #{seq}\\b/.test({status})", timeout=timeout)
