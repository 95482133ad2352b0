"""Firefox, driven with WebDriver BiDi over a WebSocket: https://w3c.github.io/webdriver-bidi/"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, Ping, Request, TextMessage

from e2e.browsers.window import WAIT_SECONDS, Window

NAMES = ("firefox-esr", "firefox")


class Firefox(Window):
    """A headless Firefox with a new profile in `folder`."""

    def __init__(self, program: str, folder: Path) -> None:
        self._process = subprocess.Popen(
            [program, "--headless", "--no-remote", "--remote-debugging-port", "0", "--profile", str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if found := re.search(r"WebDriver BiDi listening on ws://([^:]+):(\d+)", line):
                break
        else:
            raise RuntimeError("Firefox ended before it listened")
        self._socket = socket.create_connection((found[1], int(found[2])), timeout=60)
        self._connection = WSConnection(ConnectionType.CLIENT)
        self._send(Request(host=f"{found[1]}:{found[2]}", target="/session"))
        self._text = ""
        self._accepted = False
        while not self._accepted:
            self._receive()
        self._number = 0
        self._command("session.new", capabilities={})
        self._context = self._command("browsingContext.getTree")["contexts"][0]["context"]

    def goto(self, url: str) -> None:
        self._command("browsingContext.navigate", context=self._context, url=url, wait="complete")

    def evaluate(self, expression: str) -> Any:
        # The protocol has its own encoding of values, so the page encodes them as JSON.
        declaration = f"async () => JSON.stringify((await ({expression})) ?? null)"
        result = self._command(
            "script.callFunction", functionDeclaration=declaration, awaitPromise=True, target={"context": self._context}
        )
        if result["type"] != "success":
            raise RuntimeError(f"{expression}: {result['exceptionDetails']['text']}")
        return json.loads(result["result"]["value"])

    def perform(self, *sources: dict[str, Any]) -> None:
        self._command("input.performActions", context=self._context, actions=list(sources))

    def close(self) -> None:
        self._socket.close()
        self._process.terminate()
        self._process.wait(WAIT_SECONDS)

    def _command(self, method: str, **params: Any) -> Any:
        self._number += 1
        self._send(TextMessage(json.dumps({"id": self._number, "method": method, "params": params})))
        while True:
            message = json.loads(self._receive())
            if message.get("id") != self._number:
                continue  # an event
            if message["type"] == "error":
                raise RuntimeError(f"{method}: {message['message']}")
            return message["result"]

    def _send(self, event: Any) -> None:
        self._socket.sendall(self._connection.send(event))

    def _receive(self) -> str:
        """Return the next whole message, or "" once the connection is accepted."""
        while True:
            for event in self._connection.events():
                if isinstance(event, AcceptConnection):
                    self._accepted = True
                    return ""
                if isinstance(event, Ping):
                    self._send(event.response())
                if isinstance(event, TextMessage):
                    self._text += event.data
                    if event.message_finished:
                        text, self._text = self._text, ""
                        return text
            received = self._socket.recv(1 << 16)
            if not received:
                raise RuntimeError("Firefox closed the connection")
            self._connection.receive_data(received)


def find() -> str | None:
    """Return the path of an installed Firefox, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)
