"""A browser window with real tabs. Playwright keeps each of its pages visible; here a tab behind another is hidden."""

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
    """A headless Chromium of its own with one window."""
    flags = ["--headless=new", "--no-sandbox", "--remote-debugging-port=0", f"--user-data-dir={profile}", *ARGS]
    with subprocess.Popen([executable, *flags, "about:blank"], stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr is not None
            address = next(found.group(1) for line in process.stderr if (found := READY.search(line)))
            with connect(address, max_size=None) as socket:
                yield Window(socket)
        finally:
            process.terminate()


class NotNow(Exception):
    """The page cannot answer, because it is being loaded."""


class Window:
    """A window, driven over the DevTools protocol."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)

    def open(self, url: str) -> Tab:
        """A new tab, in front of the others."""
        target = self.send("Target.createTarget", url=url)["targetId"]
        session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        tab = Tab(self, target, session)
        tab.show()
        return tab

    def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """One call of the protocol; returns its result. Raises NotNow."""
        number = next(self._numbers)
        addressed = {"sessionId": session} if session else {}
        self._socket.send(json.dumps({"id": number, "method": method, "params": params, **addressed}))
        while True:
            message = json.loads(self._socket.recv(20))
            if message.get("id") == number:
                if "error" in message:
                    raise NotNow(f"{method}: {message['error']['message']}")
                return dict(message["result"])


class Tab:
    """One tab of a window."""

    def __init__(self, window: Window, target: str, session: str) -> None:
        self._window = window
        self._target = target
        self._session = session

    def show(self) -> None:
        """Bring it to the front; what was there is hidden."""
        self._window.send("Target.activateTarget", targetId=self._target)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression in the page."""
        done = self._window.send("Runtime.evaluate", self._session, expression=expression, returnByValue=True)
        assert "exceptionDetails" not in done, done
        return done["result"].get("value")

    def wait_for(self, condition: str, *, timeout: float = 10) -> None:
        """Wait until an expression is true; `timeout` in seconds."""
        deadline = time.monotonic() + timeout
        said = "nothing"
        while True:
            with suppress(NotNow):
                if self.evaluate(f"Boolean({condition})"):
                    return
                said = self.evaluate("document.querySelector('live-status')?.textContent")
            assert time.monotonic() < deadline, f"not within {timeout} s: {condition}; the page says {said!r}"
            time.sleep(0.02)

    def wait_until_live_at(self, seq: int, *, timeout: float = 10) -> None:
        """Wait until the page says that it is live at `seq`."""
        said = "(document.querySelector('live-status')?.textContent ?? '')"
        self.wait_for(f"/live at #{seq}\\b/.test({said})", timeout=timeout)
