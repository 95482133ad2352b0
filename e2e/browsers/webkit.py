"""WebKitGTK, driven with WebDriver over HTTP: https://www.w3.org/TR/webdriver2/"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import httpx

from e2e.browsers.window import WAIT_SECONDS, Window
from tests.support.daemon import free_port
from tests.support.waiting import wait_until

DRIVER = "WebKitWebDriver"


class WebKit(Window):
    """WebKitGTK's own small browser, on a display without a screen."""

    def __init__(self, program: str, folder: Path) -> None:
        port = free_port()
        command = [program, f"--port={port}"]
        if not os.environ.get("DISPLAY"):
            command = ["xvfb-run", "--auto-servernum", "--server-args=-screen 0 1440x900x24", *command]
        # WebKit's sandbox needs user namespaces, which containers seldom have.
        environment = os.environ | {"HOME": str(folder), "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"}
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            start_new_session=True,
        )
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60)
        wait_until(self._answers, timeout=30)
        options = {"args": ["--automation"]}
        capabilities = {"alwaysMatch": {"webkitgtk:browserOptions": options}}
        self._session = ""
        self._session = self._call("POST", "/session", capabilities=capabilities)["sessionId"]
        self._call("POST", "/timeouts", script=30_000)

    def goto(self, url: str) -> None:
        self._call("POST", "/url", url=url)

    def evaluate(self, expression: str) -> Any:
        script = (
            "const done = arguments[arguments.length - 1];"
            f" (async () => ({expression}) ?? null)().then((value) => done([value]), (error) => done(String(error)));"
        )
        found = self._call("POST", "/execute/async", script=script, args=[])
        if isinstance(found, str):
            raise RuntimeError(f"{expression}: {found}")
        return found[0]

    def perform(self, *sources: dict[str, Any]) -> None:
        self._call("POST", "/actions", actions=list(sources))

    def close(self) -> None:
        self._call("DELETE", "")
        self._client.close()
        os.killpg(self._process.pid, 15)
        self._process.wait(WAIT_SECONDS)

    def _answers(self) -> bool:
        try:
            return self._client.get("/status").status_code == 200
        except httpx.TransportError:
            return False

    def _call(self, method: str, path: str, **body: Any) -> Any:
        path = f"/session/{self._session}{path}" if self._session else path
        response = self._client.request(method, path, json=body if method == "POST" else None)
        value = response.json()["value"]
        if response.status_code != 200:
            raise RuntimeError(f"{path}: {value.get('error')}: {value.get('message')}")
        return value


def find() -> str | None:
    """Return the path of an installed WebKitGTK driver, or None."""
    return shutil.which(DRIVER) if os.environ.get("DISPLAY") or shutil.which("xvfb-run") else None
